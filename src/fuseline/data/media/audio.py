"""From the bytes of a sound file to one channel of samples."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import numpy as np
import soundfile
import soxr

from fuseline.data.media import MediaError
from fuseline.data.media.containers import check_whole, container_of
from fuseline.data.media.formats import SOUNDS
from fuseline.data.media.waveform import Waveform, check_sampling_rate, join_blocks

# What libsndfile decodes; the rest of the sounds, FFmpeg does.
_LIBSNDFILE = frozenset({"wav", "flac", "ogg", "mp3", "aiff", "au", "caf"})
# Samples of all channels that are decoded at once.
_BLOCK_SAMPLES = 1 << 19
_XING_WITHIN_BYTES = 4096


def decode_audio(content: bytes, *, max_seconds: float | None = None) -> Waveform:
    """Decode a sound of `formats.SOUNDS` to its end; channels are averaged.

    The format is told by the content; of a film it is the sound track. Floating-point files louder
    than full scale are scaled to it as a whole.

    Raises:
        MediaError: no such format, damaged, cut short, without samples, or with samples that are
            not finite.
        MediaTooLarge: longer than `max_seconds`; what follows was not decoded.
    """
    if not content:
        raise MediaError("the file has zero bytes")
    container = container_of(content)
    if container not in SOUNDS:
        raise MediaError("no WAV, FLAC, Ogg, MP3, AIFF, AU, CAF, AAC, M4A or MKA by its content")
    if container not in _LIBSNDFILE:
        return _by_ffmpeg(content, max_seconds)
    check_whole(content, container)
    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            check_sampling_rate(file.samplerate)
            samples = join_blocks(_blocks(file), file.samplerate, max_seconds)
            promised = _promised_samples(file, content, container)
    except soundfile.LibsndfileError as error:
        why = " ".join(error.error_string.split()).rstrip(".")
        raise MediaError(f"not decodable as {container}: {why}") from None
    if len(samples) < promised:
        raise MediaError(f"cut short: {promised} samples are promised, {len(samples)} are there")
    return Waveform(samples, file.samplerate)


def _by_ffmpeg(content: bytes, max_seconds: float | None) -> Waveform:
    # FFmpeg loads when such a sound comes.
    from fuseline.data.media.video import sound_track

    waveform = sound_track(content, max_seconds=max_seconds)
    if waveform is None:
        raise MediaError("without samples")
    return waveform


def resample(waveform: Waveform, sampling_rate: int) -> Waveform:
    """The sound at another rate, in Hz; at least one sample is left of it."""
    if waveform.sampling_rate == sampling_rate:
        return waveform
    samples = soxr.resample(waveform.samples, waveform.sampling_rate, sampling_rate)
    if not len(samples):
        samples = waveform.samples[:1]
    return Waveform(np.clip(samples, -1.0, 1.0), sampling_rate)


def _blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    frames = max(1, _BLOCK_SAMPLES // file.channels)
    while len(block := file.read(frames, dtype="float32", always_2d=True)):
        yield block


def _promised_samples(file: soundfile.SoundFile, content: bytes, container: str) -> int:
    """Samples that the header states; 0 where it does not, or only guesses."""
    if container == "flac":
        # A stream that was written in one go states none, for which the library has this value.
        return 0 if file.frames >= 2**63 - 1 else int(file.frames)
    has_count = any(mark in content[:_XING_WITHIN_BYTES] for mark in (b"Xing", b"Info"))
    return int(file.frames) if container == "mp3" and has_count else 0
