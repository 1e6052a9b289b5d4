"""From the bytes of a video file to a few of its frames and its sound.

The decoder reads from memory, is told which container to open, and so never follows what a file
may name: no play list, no other file, no address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import chain
from typing import Any, NoReturn

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from fuseline.data.media import MediaError, MediaTooLarge
from fuseline.data.media.containers import check_whole, container_of
from fuseline.data.media.waveform import Waveform, check_sampling_rate, join_blocks

# Our names, and FFmpeg's.
_CONTAINERS = {
    "mp4": "mov",
    "matroska": "matroska",
    "avi": "avi",
    "ogg": "ogg",
    "mpegts": "mpegts",
    "aac": "aac",
}
# Of a frame that neither says how long it lasts nor belongs to a stream of known rate.
_DEFAULT_FRAME_SECONDS = Fraction(1, 25)
# An index may name the same bytes again and again; honest ones name each once.
_MAX_REREAD = 2
# Sound comes in frames of its own, and may end later than the picture.
_SOUND_TAIL_SECONDS = 1.0


@dataclass(frozen=True)
class Limits:
    """What a video may decode to; None where there is no limit."""

    seconds: float | None = None
    frames: int | None = None
    pixels_per_frame: int | None = None


_NO_LIMITS = Limits()


@dataclass(frozen=True)
class Video:
    """What a video holds.

    Attributes:
        duration_seconds: from the first frame's start to the last one's end.
        num_frames: of those that were decoded.
        width, height: of an upright frame, in pixels.
        has_sound: whether there is a sound track.
        frames: upright RGB pictures, from the middles of equal spans of the duration.
    """

    duration_seconds: float
    num_frames: int
    width: int
    height: int
    has_sound: bool
    frames: list[Image.Image]


def read_video(content: bytes, *, num_frames: int = 0, limits: Limits = _NO_LIMITS) -> Video:
    """Decode a video to its end, its sound too, and take `num_frames` of its frames.

    A frame is taken that is on the screen at its time, so that a short video repeats some.

    Raises:
        MediaError: no such container, damaged, cut short, or without a picture.
        MediaTooLarge: beyond a limit; what follows was not decoded.
    """
    with _opened(content) as container:
        pictures, sound = _picture_stream(container, limits), _sound_stream(container)
        packets = _packets(container, [pictures, sound], len(content), limits)
        start, end = _span(packets, pictures)
        if limits.seconds is not None and float(end - start) > limits.seconds:
            raise MediaTooLarge(f"longer than {limits.seconds:g} seconds")
        share = (end - start) / max(1, num_frames)
        times = [start + share * (number + Fraction(1, 2)) for number in range(num_frames)]
        count, frames, (width, height) = _decode_pictures(packets, pictures, times, limits)
        if sound is not None:
            most = None if limits.seconds is None else limits.seconds + _SOUND_TAIL_SECONDS
            _decode_sound(packets, sound, most)
    return Video(float(end - start), count, width, height, sound is not None, frames)


def sample_frames(content: bytes, num_frames: int) -> list[Image.Image]:
    """Upright RGB frames from the middles of `num_frames` equal spans of time.

    Raises:
        MediaError: it cannot be decoded.
    """
    return read_video(content, num_frames=num_frames).frames


def sound_track(content: bytes, *, max_seconds: float | None = None) -> Waveform | None:
    """The first sound track at its own rate, channels averaged; None where there is none.

    Raises:
        MediaError: it cannot be decoded.
        MediaTooLarge: longer than `max_seconds`; what follows was not decoded.
    """
    with _opened(content) as container:
        sound = _sound_stream(container)
        if sound is None:
            return None
        packets = _packets(container, [sound], len(content), _NO_LIMITS)
        return _decode_sound(packets, sound, max_seconds)


@contextmanager
def _opened(content: bytes) -> Iterator[InputContainer]:
    if not content:
        raise MediaError("the file has zero bytes")
    kind = container_of(content)
    if kind not in _CONTAINERS:
        raise MediaError("no MP4, MOV, WebM, MKV, AVI, Ogg or MPEG-TS by its content")
    check_whole(content, kind)
    try:
        with av.open(
            BytesIO(content),
            "r",
            format=_CONTAINERS[kind],
            metadata_errors="replace",
            io_open=_refuse_to_open,
        ) as container:
            yield container
    except av.FFmpegError as error:
        raise MediaError(f"not decodable as {kind}: {error.strerror}") from None


def _refuse_to_open(url: str, _flags: int, _options: dict[str, str]) -> NoReturn:
    raise MediaError(f"it names another file: {url!r}")


def _picture_stream(container: InputContainer, limits: Limits) -> VideoStream:
    """The first stream of pictures that is no cover of a song."""
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        _prepare(stream, {})
        _check_size(stream.codec_context, limits)
        if limits.pixels_per_frame is not None:
            # Frames may grow in mid-stream. Width and height are compared rounded up.
            _prepare(stream, {"max_pixels": str(2 * limits.pixels_per_frame + 2**16)})
        return stream
    raise MediaError("without a picture")


def _sound_stream(container: InputContainer) -> AudioStream | None:
    for stream in container.streams.audio:
        _prepare(stream, {})
        return stream
    return None


def _prepare(stream: VideoStream | AudioStream, options: dict[str, str]) -> None:
    if stream.codec_context is None:
        raise MediaError(f"its {stream.type} is of no known codec")
    # Several threads would each give up at another frame; a decoder that conceals damage makes
    # frames up.
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"err_detect": "explode"} | options


def _check_size(frame: Any, limits: Limits) -> None:
    limit = limits.pixels_per_frame
    if limit is not None and frame.width * frame.height > limit:
        raise MediaTooLarge(f"frames of {frame.width} x {frame.height} pixels, more than {limit}")


def _packets(
    container: InputContainer,
    streams: list[VideoStream | AudioStream | None],
    num_bytes: int,
    limits: Limits,
) -> list[Packet[Any]]:
    """The compressed packets of the streams, the first of which counts against the limits."""
    packets: list[Packet[Any]] = []
    counted, size = 0, 0
    for packet in container.demux(*[stream for stream in streams if stream is not None]):
        size += packet.size
        counted += packet.stream is streams[0] and packet.size > 0
        if limits.frames is not None and counted > limits.frames:
            raise MediaTooLarge(f"more than {limits.frames} frames")
        if packet.is_corrupt or size > _MAX_REREAD * num_bytes:
            raise MediaError("damaged: its index does not fit its content")
        packets.append(packet)
    return packets


def _span(packets: list[Packet[Any]], stream: VideoStream) -> tuple[Fraction, Fraction]:
    """When the first frame begins and the last one ends, in seconds."""
    begins, ends = [], []
    for packet in packets:
        ticks = packet.dts if packet.pts is None else packet.pts
        if packet.stream is stream and ticks is not None and not packet.is_discard:
            lasts = (packet.duration or 0) * packet.time_base or _frame_seconds(stream)
            begins.append(ticks * packet.time_base)
            ends.append(begins[-1] + lasts)
    return (min(begins), max(ends)) if begins else (Fraction(0), Fraction(0))


def _frame_seconds(stream: VideoStream) -> Fraction:
    return 1 / stream.average_rate if stream.average_rate else _DEFAULT_FRAME_SECONDS


def _decode_pictures(
    packets: list[Packet[Any]], stream: VideoStream, times: list[Fraction], limits: Limits
) -> tuple[int, list[Image.Image], tuple[int, int]]:
    """Number of frames, those on the screen at `times`, and width and height of an upright one."""
    taken: list[Image.Image] = []
    count, shown = 0, None
    for frame in _pictures(packets, stream):
        _check_size(frame, limits)
        # Without a time it comes right after the one before, and is never waited for.
        begins = None if frame.pts is None else frame.pts * (frame.time_base or 1)
        while shown and begins is not None and len(taken) < len(times):
            if begins <= times[len(taken)]:
                break
            taken.append(_upright(shown))
        count, shown = count + 1, frame
    if shown is None:
        raise MediaError("without a frame that can be decoded")
    last = _upright(shown)
    return count, taken + [last] * (len(times) - len(taken)), last.size


def _pictures(packets: list[Packet[Any]], stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in packets:
        for frame in packet.decode() if packet.stream is stream else ():
            assert isinstance(frame, VideoFrame)
            if frame.is_corrupt:
                raise MediaError("damaged: a frame is not whole")
            yield frame


def _upright(frame: VideoFrame) -> Image.Image:
    picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _decode_sound(
    packets: list[Packet[Any]], stream: AudioStream, max_seconds: float | None
) -> Waveform | None:
    """The sound; None where its stream holds no samples."""
    frames = _sound_frames(packets, stream)
    first = next(frames, None)
    if first is None:
        return None
    check_sampling_rate(first.sample_rate)
    blocks = _floats(chain([first], frames))
    return Waveform(join_blocks(blocks, first.sample_rate, max_seconds), first.sample_rate)


def _sound_frames(packets: list[Packet[Any]], stream: AudioStream) -> Iterator[AudioFrame]:
    """Frames with samples, all of one rate, format and layout."""
    kinds: set[tuple[int, str, str]] = set()
    for packet in packets:
        for frame in packet.decode() if packet.stream is stream else ():
            assert isinstance(frame, AudioFrame)
            kinds.add((frame.sample_rate, frame.format.name, frame.layout.name))
            if frame.is_corrupt or len(kinds) > 1:
                raise MediaError("damaged: its sound changes in the middle")
            if frame.samples:
                yield frame


def _floats(frames: Iterator[AudioFrame]) -> Iterator[np.ndarray]:
    """Samples (n, channels) float32."""
    resampler = av.AudioResampler(format="fltp")
    for frame in frames:
        for part in resampler.resample(frame):
            yield part.to_ndarray().T
