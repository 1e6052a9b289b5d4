"""Sound to features at even spans of time: log-mel spectra, or states of a frozen encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fuseline.modalities.checkpoints import checkpoint_identity
from fuseline.modalities.extraction import Extractor, Runtime, extract
from fuseline.modalities.log_mel import LOG_MEL, LogMel
from fuseline.modalities.stored_media import Medium
from fuseline.params.extract_features import AudioFeatureParams

if TYPE_CHECKING:
    from fuseline.media.audio import Waveform
    from fuseline.modalities.audio_encoder import AudioEncoder
    from fuseline.precision import Precision


def extract_audio_features(
    examples: Path,
    features: Path,
    params: AudioFeatureParams,
    precision: Precision,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """Write the audio features table: of a row's `audio`, else of the sound of its `video`.

    Args:
        examples: the examples table.
        features: folder of the new table.
        params: encoder, rate, mel bands and positions.
        precision: of a Transformers encoder.
        runtime: cache and surroundings; none by default.

    Returns:
        Counts of rows and of those without sound, shape, mean norm.

    Raises:
        ConfigError: no such encoder, or one of another sampling rate.
        ContractError: a sound that cannot be decoded.
    """
    identity: dict[str, Any] = {"audio": params.model_dump()}
    if params.encoder != LOG_MEL:
        where = "extract_features.audio.encoder"
        identity |= {"precision": precision}
        identity |= checkpoint_identity(params.encoder, where=where, names=(LOG_MEL,))
    extractor = Extractor(
        "audio", __name__, ("audio", "video"), identity, partial(load_encoder, params, precision)
    )
    return extract(examples, features, extractor, runtime or Runtime())


def load_encoder(params: AudioFeatureParams, precision: Precision) -> LogMelEncoder | AudioEncoder:
    """The encoder that the section names."""
    if params.encoder == LOG_MEL:
        return LogMelEncoder(params)
    # Transformers takes seconds to import, and spectra do without it.
    from fuseline.modalities.audio_encoder import AudioEncoder

    return AudioEncoder(params, precision)


class LogMelEncoder(LogMel):
    """Log-mel spectra of stored sounds."""

    def encode(self, media: Sequence[Medium]) -> Iterator[np.ndarray | None]:
        """Features of each sound in turn; None for a video without. See `Encoder`."""
        for medium in media:
            waveform = sound_of(medium)
            yield None if waveform is None else self.features(waveform)


def sound_of(medium: Medium) -> Waveform | None:
    """Sound of a stored clip or video; None for a video without a sound track."""
    if medium.column == "audio":
        from fuseline.media.audio import decode_audio

        return medium.decoded(decode_audio)
    from fuseline.media.video import sound_track

    return medium.decoded(sound_track)
