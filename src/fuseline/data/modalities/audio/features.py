"""Sound to features at even spans of time: log-mel spectra, or states of a frozen encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fuseline.data.modalities.audio.log_mel import LOG_MEL, LogMel
from fuseline.data.modalities.audio.sounds import sound_of
from fuseline.data.modalities.checkpoints import checkpoint_identity, encoder_key
from fuseline.data.modalities.extraction.extract import Extractor, Runtime, extract
from fuseline.data.modalities.extraction.stored_media import Medium
from fuseline.params.extract_features import AudioFeatureParams

if TYPE_CHECKING:
    from fuseline.data.modalities.audio.encoder import AudioEncoder
    from fuseline.pipeline.precision import Precision


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
        identity |= {"precision": precision}
        identity |= checkpoint_identity(
            params.encoder, where=encoder_key("audio"), names=(LOG_MEL,)
        )
    extractor = Extractor(
        "audio", __name__, ("audio", "video"), identity, partial(load_encoder, params, precision)
    )
    return extract(examples, features, extractor, runtime or Runtime())


def load_encoder(params: AudioFeatureParams, precision: Precision) -> LogMelEncoder | AudioEncoder:
    """The encoder that the section names."""
    if params.encoder == LOG_MEL:
        return LogMelEncoder(params)
    # Transformers takes seconds to import, and spectra do without it.
    from fuseline.data.modalities.audio.encoder import AudioEncoder

    return AudioEncoder(params, precision)


class LogMelEncoder(LogMel):
    """Log-mel spectra of stored sounds."""

    def encode(self, media: Sequence[Medium]) -> Iterator[np.ndarray | None]:
        """Features of each sound in turn; None for a video without. See `Encoder`."""
        for medium in media:
            waveform = sound_of(medium)
            yield None if waveform is None else self.features(waveform)
