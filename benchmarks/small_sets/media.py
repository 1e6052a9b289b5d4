"""Sounds and videos, in tables, in folders and in Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import av
import soundfile

from benchmarks.small_sets.material import ROWS, SmallSet, emoji, parquet, put, recordings, table
from tests.pipeline.shapes import label_of, medium_of

_SOUNDS = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3", "aiff": "AIFF", "au": "AU"}
# Media are slow to decode.
_FEW = 60


def _as(wav: bytes, kind: str) -> bytes:
    samples, rate = soundfile.read(io.BytesIO(wav))
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


def digits(folder: Path) -> Path:
    rows = []
    for row, (digit, speaker, wav) in enumerate(recordings()):
        put(folder / f"recordings/{row:03d}.wav", wav)
        rows.append({"path": f"recordings/{row:03d}.wav", "digit": digit, "speaker": speaker})
    return table(folder / "rows.csv", rows)


def sound_formats(folder: Path) -> Path:
    rows, kinds = [], list(_SOUNDS.items())
    for row, (digit, _, wav) in enumerate(recordings()):
        ending, kind = kinds[row % len(kinds)]
        put(folder / f"{row:03d}.{ending}", _as(wav, kind))
        rows.append({"audio": f"{row:03d}.{ending}", "label": f"digit {digit}"})
    return table(folder / "rows.csv", rows)


def sounds_alone(folder: Path) -> Path:
    for row, (digit, _, wav) in enumerate(recordings()):
        put(folder / digit / f"{row:03d}.wav", wav)
    return folder


def sounds_and_pictures(folder: Path) -> Path:
    rows = []
    for row, (digit, _, wav) in enumerate(recordings()):
        put(folder / f"{row:03d}.wav", wav)
        put(folder / f"{row:03d}.png", emoji()[row][0])
        name = ("zero", "one", "two")[int(digit)]
        rows.append({"sound": f"{row:03d}.wav", "picture": f"{row:03d}.png", "digit": name})
    return table(folder / "rows.csv", rows)


def matroska_sounds(folder: Path) -> Path:
    """Sounds in a container that also holds films, as bytes."""
    rows = [
        {"audio": _matroska(wav), "label": f"digit {digit}", "n": row}
        for row, (digit, _, wav) in enumerate(recordings(_FEW))
    ]
    return parquet(folder / "rows.parquet", rows)


def _matroska(wav: bytes) -> bytes:
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(wav)) as source,
        av.open(file, "w", format="matroska", options={"fflags": "+bitexact"}) as target,
    ):
        track = target.add_stream("flac", source.streams.audio[0].rate)
        for frame in source.decode(audio=0):
            target.mux(track.encode(frame))
        target.mux(track.encode())
    return file.getvalue()


def hub_sounds(folder: Path) -> Path:
    """As the hub keeps sounds: bytes and a path in each cell."""
    put(folder / "README.md", b"Spoken digits.\n")
    rows = [
        {"audio": {"bytes": wav, "path": f"{row}.wav"}, "label": int(digit), "speaker_id": speaker}
        for row, (digit, speaker, wav) in enumerate(recordings())
    ]
    parquet(folder / "data" / "train-00000-of-00001.parquet", rows)
    return folder


def _film(mp4: bytes, kind: str, codec: str) -> bytes:
    """The frames of a video in another container."""
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(mp4)) as source,
        av.open(file, "w", format=kind, options={"fflags": "+bitexact"}) as target,
    ):
        track = target.add_stream(codec, 8)
        frames = list(source.decode(video=0))
        track.width, track.height, track.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        track.codec_context.thread_count = 1
        for frame in frames:
            target.mux(track.encode(frame.reformat(format="yuv420p")))
        target.mux(track.encode())
    return file.getvalue()


def film_formats(folder: Path) -> Path:
    makers: dict[str, Callable[[bytes], bytes]] = {
        "mp4": lambda mp4: mp4,
        "webm": lambda mp4: _film(mp4, "webm", "libvpx"),
        "mkv": lambda mp4: _film(mp4, "matroska", "libx264"),
        "avi": lambda mp4: _film(mp4, "avi", "mpeg4"),
    }
    rows, endings = [], list(makers)
    for row in range(_FEW):
        ending = endings[row // 3 % len(endings)]
        put(folder / f"{row:03d}.{ending}", makers[ending](medium_of("video", row)))
        rows.append({"clip": f"{row:03d}.{ending}", "direction": label_of(row)})
    return table(folder / "rows.csv", rows)


def films_alone(folder: Path) -> Path:
    for row in range(_FEW):
        put(folder / label_of(row) / f"{row:03d}.mp4", medium_of("video", row))
    return folder


def animations(folder: Path) -> Path:
    """GIF of several frames, which count as pictures."""
    from PIL import Image

    rows = []
    for row in range(_FEW):
        frames = [Image.open(io.BytesIO(emoji()[(row + n) % ROWS][0])) for n in (0, 3)]
        file = io.BytesIO()
        plain = [frame.convert("RGB") for frame in frames]
        plain[0].save(file, "GIF", save_all=True, append_images=plain[1:])
        put(folder / f"{row:03d}.gif", file.getvalue())
        rows.append({"animation": f"{row:03d}.gif", "kind": emoji()[row][2]})
    return table(folder / "rows.csv", rows)


def silent_and_broken(folder: Path) -> Path:
    rows = []
    for row, (digit, _, wav) in enumerate(recordings()):
        content = wav[:60] if row % 15 == 0 else wav
        put(folder / f"{row:03d}.wav", content)
        rows.append({"audio": f"{row:03d}.wav", "label": f"digit {digit}"})
    return table(folder / "rows.csv", rows)


SETS = {
    "digits": SmallSet("spoken digits, by speaker", digits, by_dvc=True),
    "sound_formats": SmallSet("WAV, FLAC, Ogg, MP3, AIFF and AU", sound_formats),
    "sounds_alone": SmallSet("folders of sounds, no table", sounds_alone),
    "sounds_and_pictures": SmallSet("a sound and a picture a row", sounds_and_pictures),
    "matroska_sounds": SmallSet("Matroska sounds as bytes in Parquet", matroska_sounds),
    "hub_sounds": SmallSet("a hub's data set of sounds", hub_sounds),
    "film_formats": SmallSet("MP4, WebM, MKV and AVI", film_formats),
    "films_alone": SmallSet("folders of videos, no table", films_alone),
    "animations": SmallSet("animated GIF", animations),
    "silent_and_broken": SmallSet("sounds, some cut short", silent_and_broken),
}
