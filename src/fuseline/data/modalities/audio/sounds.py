"""The sound of a stored medium."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuseline.data.modalities.extraction.stored_media import Medium

if TYPE_CHECKING:
    from fuseline.data.media.waveform import Waveform


def sound_of(medium: Medium) -> Waveform | None:
    """Sound of a stored clip or video; None for a video without a sound track."""
    if medium.column == "audio":
        from fuseline.data.media.audio import decode_audio

        return medium.decoded(decode_audio)
    from fuseline.data.media.video import sound_track

    return medium.decoded(sound_track)
