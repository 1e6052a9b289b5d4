"""Video files to frames and sound, from memory: nothing but the given bytes is ever opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from PIL import Image

from fuseline.media import MediaError, MediaTooLarge
from fuseline.media.audio import Waveform

# By how a file begins. The demuxer is named, since FFmpeg would else also take playlists and
# scripts, which open other files.
_EBML = b"\x1a\x45\xdf\xa3"
MAX_SOUND_SECONDS = 3600.0


@dataclass(frozen=True)
class VideoLimits:
    """What a video may hold at most; `pixels` is a frame's."""

    seconds: float
    frames: int
    pixels: int


@dataclass(frozen=True)
class VideoFacts:
    """What a decoded video holds; width and height in pixels."""

    seconds: float
    num_frames: int
    width: int
    height: int
    has_sound: bool


def container_format(content: bytes) -> str:
    """FFmpeg's name of the container: `mov` (MP4 too), `matroska` (WebM too) or `avi`.

    Raises:
        MediaError: neither of them.
    """
    if content[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
        return "mov"
    if content.startswith(_EBML):
        return "matroska"
    if content[:4] == b"RIFF" and content[8:12] == b"AVI ":
        return "avi"
    if not content:
        raise MediaError("it has zero bytes")
    raise MediaError("its content is none of MP4, MOV, WebM, MKV and AVI")


def read_video(content: bytes, limits: VideoLimits) -> VideoFacts:
    """Decode every frame within the limits.

    Raises:
        MediaTooLarge: beyond a limit; decoding stopped there.
        MediaError: empty, truncated, damaged, of no known format or without a picture.
    """
    seen, size, end = 0, (0, 0), 0.0
    with _opened(content) as container:
        stream = container.streams.video[0]
        promised = stream.frames
        _check_size(stream.width, stream.height, limits)
        for frame in container.decode(stream):
            seen, size = seen + 1, (frame.width, frame.height)
            end = max(end, float(frame.time or 0.0))
            _check_size(*size, limits)
            if seen > limits.frames:
                raise MediaTooLarge(f"it has more than {limits.frames} frames")
            if end > limits.seconds:
                raise MediaTooLarge(f"it is longer than {limits.seconds:g} seconds")
        has_sound = bool(container.streams.audio)
        seconds = max(end, _declared_seconds(container))
    if not seen:
        raise MediaError("it has no frame that can be decoded")
    if seconds > limits.seconds:
        raise MediaTooLarge(f"it is longer than {limits.seconds:g} seconds")
    # Some writers count a frame that their codec drops at the ends.
    if seen < promised - 2:
        raise MediaError(f"it is cut off: {seen} of {promised} frames are there")
    return VideoFacts(seconds, seen, *size, has_sound)


def sample_frames(content: bytes, num_frames: int) -> list[Image.Image]:
    """RGB frames in the middle of `num_frames` equal spans of time; a short video repeats some.

    Raises:
        MediaError: it cannot be decoded.
    """
    with _opened(content) as container:
        stream = container.streams.video[0]
        times = [float(frame.time or 0.0) for frame in container.decode(stream)]
    if not times:
        raise MediaError("it has no frame that can be decoded")
    spans = (np.arange(num_frames) + 0.5) / num_frames
    # The last frame lasts as long as the mean of the others.
    end = times[-1] + (times[-1] - times[0]) / max(1, len(times) - 1)
    moments = times[0] + spans * (end - times[0])
    order = np.argsort(times, kind="stable")
    wanted = order[np.searchsorted(np.asarray(times)[order], moments, side="right") - 1]
    frames = _frames(content, set(wanted.tolist()))
    return [frames[index] for index in wanted.tolist()]


def sound_track(content: bytes) -> Waveform | None:
    """The first sound track, mono at its own rate; None where there is none.

    Raises:
        MediaError: it cannot be decoded.
    """
    with _opened(content) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        rate = stream.rate
        mono = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts = [
            part.to_ndarray()[0]
            for frame in [*_bounded(container.decode(stream)), None]
            for part in mono.resample(frame)
        ]
    if not parts or not sum(map(len, parts)):
        return None
    samples = np.nan_to_num(np.concatenate(parts).astype(np.float32))
    return Waveform(np.clip(samples, -1.0, 1.0), rate)


def _bounded(frames: Iterator[Any]) -> Iterator[Any]:
    for frame in frames:
        if float(frame.time or 0.0) > MAX_SOUND_SECONDS:
            return
        yield frame


def _frames(content: bytes, wanted: set[int]) -> dict[int, Image.Image]:
    """The frames at these positions, upright."""
    found = {}
    with _opened(content) as container:
        for index, frame in enumerate(container.decode(container.streams.video[0])):
            if index in wanted:
                picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
                found[index] = picture.rotate(frame.rotation, expand=True)
            if len(found) == len(wanted):
                break
    return found


def _check_size(width: int, height: int, limits: VideoLimits) -> None:
    if width * height > limits.pixels:
        raise MediaTooLarge(f"its frames have {width} x {height} pixels, above {limits.pixels}")


def _declared_seconds(container: InputContainer) -> float:
    return (container.duration or 0) / av.time_base


@contextmanager
def _opened(content: bytes) -> Iterator[InputContainer]:
    """The container, decoded by one thread so that the same bytes come out each time."""
    kind = container_format(content)
    try:
        with av.open(
            BytesIO(content), mode="r", format=kind, metadata_errors="replace"
        ) as container:
            if not container.streams.video:
                raise MediaError("it has no picture")
            for stream in container.streams:
                if stream.type in ("video", "audio"):
                    if stream.codec_context is None:
                        raise MediaError(f"its {stream.type} stream is of no known codec")
                    stream.codec_context.thread_count = 1
            yield container
    except av.FFmpegError as error:
        raise MediaError(f"{error.strerror or 'it cannot be decoded'}".lower()) from None
    except (IndexError, OverflowError) as error:
        raise MediaError(f"it cannot be decoded: {error}") from None
