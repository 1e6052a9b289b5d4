"""Pictures, sounds and videos made in memory, a few hundred or thousand bytes each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any

import av
import numpy as np
import soundfile
from PIL import Image

RATE = 16_000  # Hz
FRAMES_PER_SECOND = 25


def picture(
    kind: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (24, 16), **options: Any
) -> bytes:
    """A grey ramp, from black at the top to white."""
    return encoded(Image.linear_gradient("L").resize(size).convert(mode), kind, **options)


def animation(kind: str = "GIF") -> bytes:
    """Three frames: red, green, blue."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The picture as a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tone(seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    """A sine, (N,) float32."""
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def sound(
    kind: str = "WAV", samples: np.ndarray | None = None, subtype: str | None = None
) -> bytes:
    """A sound file; `kind` and `subtype` are libsndfile's names."""
    file = BytesIO()
    soundfile.write(file, tone() if samples is None else samples, RATE, subtype, format=kind)
    return _without_clock(file.getvalue())


def _without_clock(content: bytes) -> bytes:
    """The file without what libsndfile takes from the clock: a time, a stream's number."""
    changed = bytearray(content)
    if (start := content.find(b"PEAK", 0, 256)) >= 0:
        changed[start + 12 : start + 16] = bytes(4)
    start = 0
    while changed[start : start + 4] == b"OggS":
        count = changed[start + 26]
        end = start + 27 + count + sum(changed[start + 27 : start + 27 + count])
        changed[start + 14 : start + 18] = b"\1\0\0\0"
        changed[start + 22 : start + 26] = bytes(4)
        changed[start + 22 : start + 26] = _ogg_checksum(changed[start:end])
        start = end
    return bytes(changed)


def _ogg_checksum(page: bytes) -> bytes:
    remainder = 0
    for byte in page:
        remainder ^= byte << 24
        for _ in range(8):
            carry = 0x04C11DB7 if remainder & 0x80000000 else 0
            remainder = (remainder << 1 & 0xFFFFFFFF) ^ carry
    return remainder.to_bytes(4, "little")


def stream(kind: str, codec: str, *, layout: str = "mono") -> bytes:
    """A sound file; `kind`, `codec` and `layout` are FFmpeg's names."""
    file = BytesIO()
    with av.open(file, "w", format=kind, options={"fflags": "+bitexact"}) as container:
        track = _track(container, codec)
        track.layout = layout
        heard = av.AudioFrame.from_ndarray(tone()[None], format="fltp", layout="mono")
        heard.rate, heard.pts = RATE, 0
        shape = av.AudioResampler(track.format.name, layout, track.rate)
        for part in [*shape.resample(heard), *shape.resample(None)]:
            container.mux(track.encode(part))
        container.mux(track.encode())
    return file.getvalue()


def video(
    kind: str = "mp4",
    codec: str = "mpeg4",
    *,
    sound_codec: str | None = None,
    sound_seconds: float | None = None,
    num_frames: int = 10,
    size: tuple[int, int] = (64, 48),
    rotation: int = 0,
    **options: str,
) -> bytes:
    """A white bar that grows from the left by a pixel a frame, on red that grows by ten levels.

    Args:
        kind: FFmpeg's name of the container.
        codec, sound_codec: FFmpeg's names; without the latter there is no sound.
        sound_seconds: as long as the picture where None.
        num_frames: at 25 a second.
        size: width and height in pixels.
        rotation: degrees that a player turns the frames by.
        options: of the container.
    """
    file = BytesIO()
    with av.open(file, "w", format=kind, options={"fflags": "+bitexact"} | options) as container:
        stream = container.add_stream(codec, FRAMES_PER_SECOND)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        track = _track(container, sound_codec) if sound_codec else None
        for number in range(num_frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(_frame(number, size))))
        container.mux(stream.encode())
        if track is not None:
            heard = av.AudioFrame.from_ndarray(
                tone(sound_seconds or num_frames / FRAMES_PER_SECOND)[None],
                format="fltp",
                layout="mono",
            )
            heard.rate, heard.pts = RATE, 0
            container.mux(track.encode(heard))
            container.mux(track.encode())
    return file.getvalue()


def _track(container: Any, codec: str) -> Any:
    track = container.add_stream(codec, RATE)
    track.layout = "mono"
    return track


def _frame(number: int, size: tuple[int, int]) -> np.ndarray:
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    frame[..., 0] = 10 * number % 256
    frame[:, : number + 1] = 255
    return frame


REAL_MEDIA: dict[str, Callable[[], bytes]] = {
    "plain.png": picture,
    "palette.png": lambda: picture(mode="P"),
    "animated.png": lambda: animation("PNG"),
    "plain.jpg": lambda: picture("JPEG"),
    "cmyk.jpg": lambda: picture("JPEG", "CMYK"),
    "progressive.jpg": lambda: picture("JPEG", progressive=True),
    "plain.webp": lambda: picture("WEBP"),
    "animated.webp": lambda: animation("WEBP"),
    "animated.gif": animation,
    "plain.bmp": lambda: picture("BMP"),
    "plain.tiff": lambda: picture("TIFF"),
    "packed.tiff": lambda: picture("TIFF", compression="tiff_lzw"),
    "plain.ppm": lambda: picture("PPM"),
    "plain.wav": sound,
    "floats.wav": lambda: sound(subtype="FLOAT"),
    "adpcm.wav": lambda: sound(subtype="IMA_ADPCM"),
    "plain.flac": lambda: sound("FLAC"),
    "vorbis.ogg": lambda: sound("OGG"),
    "opus.ogg": lambda: sound("OGG", subtype="OPUS"),
    "plain.mp3": lambda: sound("MP3"),
    "plain.aiff": lambda: sound("AIFF"),
    "plain.au": lambda: sound("AU"),
    "plain.caf": lambda: sound("CAF"),
    "plain.aac": lambda: stream("adts", "aac"),
    "plain.m4a": lambda: stream("ipod", "aac"),
    "plain.mka": lambda: stream("matroska", "libopus"),
    "plain.mp4": lambda: video(sound_codec="aac"),
    "h264.mp4": lambda: video(codec="libx264"),
    "fragments.mp4": lambda: video(codec="libx264", movflags="frag_keyframe+empty_moov"),
    "plain.webm": lambda: video("webm", "libvpx", sound_codec="libopus"),
    "vp9.webm": lambda: video("webm", "libvpx-vp9"),
    "plain.mkv": lambda: video("matroska", "libx264", sound_codec="aac"),
    "plain.avi": lambda: video("avi", sound_codec="mp2"),
    "plain.ts": lambda: video("mpegts", "libx264", sound_codec="aac"),
}


@cache
def real_media() -> dict[str, bytes]:
    """One file of every kind, by name."""
    return {name: make() for name, make in REAL_MEDIA.items()}
