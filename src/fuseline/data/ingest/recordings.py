"""Checking sounds and videos by decoding them whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuseline.data.ingest.fingerprints import VIDEO_FRAMES, audio_fingerprint, video_fingerprint
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.media import MediaError, MediaTooLarge
from fuseline.data.media.containers import container_of
from fuseline.data.media.formats import container_endings
from fuseline.data.media.pictures import is_constant
from fuseline.params.ingest import LimitParams

# Of a range of 2, about 80 decibels below the loudest: what encoders make of silence lies below.
SILENCE = 2e-4


@dataclass(frozen=True)
class CheckedRecording:
    """A sound or video that decodes.

    Attributes:
        endings: of file names that tell the truth about its format.
        fingerprint: see `fingerprints.py`.
        findings: `silent` of a sound, `constant` of a video whose frames are one colour each.
    """

    endings: tuple[str, ...]
    fingerprint: bytes
    findings: list[str]


def check_audio(content: bytes, limits: LimitParams) -> CheckedRecording:
    """Decode a sound whole.

    Raises:
        Refusal: `oversized_audio` or `unreadable_audio`.
    """
    # Decoders load when the first sound comes: other sets start faster without.
    from fuseline.data.media.audio import decode_audio

    _check_bytes("audio", content, limits.max_audio_bytes)
    try:
        waveform = decode_audio(content, max_seconds=limits.max_audio_seconds)
    except MediaError as error:
        raise _refusal("audio", error) from None
    fingerprint = audio_fingerprint(waveform.samples, waveform.sampling_rate)
    is_silent = float(np.ptp(waveform.samples)) < SILENCE
    found = ["silent"] if is_silent else []
    return CheckedRecording(container_endings(container_of(content) or ""), fingerprint, found)


def check_video(content: bytes, limits: LimitParams) -> CheckedRecording:
    """Decode a video whole, its sound included.

    Raises:
        Refusal: `oversized_video` or `unreadable_video`.
    """
    from fuseline.data.media.video import Limits, read_video

    _check_bytes("video", content, limits.max_video_bytes)
    bounds = Limits(limits.max_video_seconds, limits.max_video_frames, limits.max_image_pixels)
    try:
        video = read_video(content, num_frames=VIDEO_FRAMES, limits=bounds)
    except MediaError as error:
        raise _refusal("video", error) from None
    fingerprint = video_fingerprint(video.frames)
    found = ["constant"] if all(map(is_constant, video.frames)) else []
    return CheckedRecording(container_endings(container_of(content) or ""), fingerprint, found)


def _check_bytes(medium: str, content: bytes, most: int) -> None:
    if len(content) > most:
        raise Refusal(
            f"oversized_{medium}",
            f"{len(content)} bytes; ingest.limits.max_{medium}_bytes is {most}.",
        )


def _refusal(medium: str, error: MediaError) -> Refusal:
    if isinstance(error, MediaTooLarge):
        return Refusal(f"oversized_{medium}", f"Beyond ingest.limits: {error}.")
    return Refusal(f"unreadable_{medium}", f"Cannot be decoded: {error}.")
