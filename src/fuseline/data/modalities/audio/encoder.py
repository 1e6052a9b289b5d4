"""Frozen Transformers audio encoders (wav2vec 2.0, HuBERT, AST, Whisper and the like)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

from fuseline.data.media.audio import resample
from fuseline.data.media.waveform import Waveform
from fuseline.data.modalities.audio.log_mel import HOP_SECONDS, LOG_MEL, pool
from fuseline.data.modalities.audio.sounds import sound_of
from fuseline.data.modalities.checkpoints import (
    checkpoint_folder,
    encoder_key,
    portable,
    weights_hash,
)
from fuseline.data.modalities.extraction.stored_media import Medium
from fuseline.errors import ConfigError
from fuseline.params.extract_features import AudioFeatureParams
from fuseline.pipeline.precision import Precision, autocast

WHERE = encoder_key("audio")
# Convolutions over the samples give no frame of less.
LEAST_SECONDS = 0.1
# The two tokens that stand before the patches of a spectrum.
AST_TOKENS = 2


class AudioEncoder:
    """Sounds to the states of a frozen encoder, averaged over even spans of time (P, D).

    Clips run one by one: a padded batch would change their states. Networks that take a fixed
    length (Whisper 30 s, AST about 10 s) see the beginning of a longer clip, and of a shorter
    one only the states within it are averaged.
    """

    def __init__(self, params: AudioFeatureParams, precision: Precision) -> None:
        self.params, self.precision = params, precision
        folder = checkpoint_folder(params.encoder, where=WHERE, names=(LOG_MEL,))
        config = AutoConfig.from_pretrained(folder)
        self.prepare = AutoFeatureExtractor.from_pretrained(folder)
        rate = self.prepare.sampling_rate
        if rate != params.sampling_rate:
            raise ConfigError(
                f"extract_features.audio.sampling_rate: expected {rate}, the rate that"
                f" '{params.encoder}' was trained with, found {params.sampling_rate}."
            )
        network = AutoModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
        # Of a network that also decodes, the half that listens.
        self.network = (
            getattr(network, "encoder", network) if config.is_encoder_decoder else network
        )
        self.network.eval().requires_grad_(False)
        self.config = config
        self.shape = (params.positions, int(config.hidden_size))
        self.facts: dict[str, Any] = {
            "encoder": params.encoder,
            "revision": weights_hash(folder),
            "config": portable(config),
            "sampling_rate": params.sampling_rate,
            "num_mels": None,
        }

    def encode(self, media: Sequence[Medium]) -> Iterator[np.ndarray | None]:
        """Features of each sound in turn; None for a video without. See `Encoder`."""
        for medium in media:
            waveform = sound_of(medium)
            yield None if waveform is None else self.features(waveform)

    def features(self, waveform: Waveform) -> np.ndarray:
        """(P, D) float16 of one clip."""
        rate = self.params.sampling_rate
        samples = resample(waveform, rate).samples
        samples = np.pad(samples, (0, max(0, round(LEAST_SECONDS * rate) - len(samples))))
        prepared = self.prepare(samples, sampling_rate=rate, return_tensors="pt")
        name = self.prepare.model_input_names[0]
        with torch.inference_mode(), autocast(self.precision):
            states: Tensor = self.network(prepared[name])[0][0].float()
        frames = self._by_time(states).numpy()
        heard = min(1.0, len(samples) / rate / self._window_seconds(prepared[name]))
        return pool(
            frames[: max(1, round(heard * len(frames)))], self.params.positions, np.mean
        ).astype(np.float16)

    def _by_time(self, states: Tensor) -> Tensor:
        """(F, D) in order of time."""
        if self.config.model_type != "audio-spectrogram-transformer":
            return states
        # Patches lie on a grid of frequency and time, frequency first.
        bands = (self.config.num_mel_bins - self.config.patch_size) // self.config.frequency_stride
        patches = states[AST_TOKENS:]
        return patches.reshape(bands + 1, -1, patches.shape[-1]).mean(0)

    def _window_seconds(self, prepared: Tensor) -> float:
        """How much time the network's input stands for."""
        if prepared.dim() == 2:
            return prepared.shape[1] / self.params.sampling_rate
        # Spectra: AST's are (B, F, M), Whisper's (B, M, F).
        is_ast = self.config.model_type == "audio-spectrogram-transformer"
        return prepared.shape[1 if is_ast else 2] * HOP_SECONDS
