"""Features of corrupted pictures and recordings, computed as stage `extract_features` does."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from fuseline.data.media.waveform import Waveform
from fuseline.data.modalities.audio.features import load_encoder
from fuseline.data.modalities.audio.sounds import sound_of
from fuseline.data.modalities.extraction.stored_media import Medium, by_place
from fuseline.data.modalities.image.encoder import PictureEncoder, ahead, encode_pixels
from fuseline.data.modalities.image.pixels import decode_pixels
from fuseline.errors import ContractError
from fuseline.evaluation.stress.corruptions import (
    AUDIO_CORRUPTIONS,
    IMAGE_CORRUPTIONS,
    Corruption,
)
from fuseline.params.extract_features import AudioFeatureParams, ImageFeatureParams
from fuseline.pipeline.precision import Precision
from fuseline.registry import lookup

# A picture (H, W, 3) or samples (N,), and the row's id, which decides what is drawn.
Change = Callable[[np.ndarray, str], np.ndarray]


class CorruptibleMedia(Protocol):
    """The media of one modality of N rows, and an encoder that is loaded once."""

    def clean(self) -> np.ndarray:
        """Features (N, P, D) float16, zeros where a row has none and NaN at places of pictures that
        it lacks; what the features table holds, to the last bit on the same machine."""

    def corrupted(self, name: str, severity: int) -> np.ndarray:
        """The same of media after the corruption of that name, at a severity from 1 to 5.

        Raises:
            ConfigError: no such corruption or severity.
        """


class _Media:
    """What pictures and recordings share.

    Args:
        media: by row and place, None where a row has none.
        shape: `(positions, dim)` of one medium's features.
        corruptions: the table of the modality.
        seed: of what is drawn, beside row, corruption and severity.
        places: of a row.
    """

    def __init__(
        self,
        media: Sequence[Medium | None],
        shape: tuple[int, int],
        corruptions: dict[str, Corruption],
        seed: int,
        places: int = 1,
    ) -> None:
        self.places = places
        self.rows = [row for row, medium in enumerate(media) if medium is not None]
        self.media = [medium for medium in media if medium is not None]
        self.shape = (len(media), *shape)
        self.corruptions, self.seed = corruptions, seed

    def clean(self) -> np.ndarray:
        """See `CorruptibleMedia`."""
        return self._features(lambda values, _example_id: values)

    def corrupted(self, name: str, severity: int) -> np.ndarray:
        """See `CorruptibleMedia`."""
        corrupt = lookup(self.corruptions, name, where="corruption")

        def change(values: np.ndarray, example_id: str) -> np.ndarray:
            return corrupt(values, severity, random_state(self.seed, example_id, name, severity))

        return self._features(change)

    @abstractmethod
    def _encoded(self, change: Change) -> Iterator[np.ndarray | None]:
        """Features (P, D) float16 of each changed medium in turn; None where it has none."""

    def _features(self, change: Change) -> np.ndarray:
        found = np.zeros(self.shape, dtype=np.float16)
        for row, medium, features in zip(self.rows, self.media, self._encoded(change), strict=True):
            if features is None:
                continue
            if not np.isfinite(features).all():
                raise ContractError(
                    f"row '{medium.example_id}': its corrupted {medium.column} has features that"
                    " float16 cannot hold. Choose another encoder, or leave that corruption out."
                )
            found[row] = features
        present = np.zeros(len(found), dtype=bool)
        present[self.rows] = True
        return by_place(found, present, self.places)


class Pictures(_Media):
    """Pictures as the encoder takes them: corrupted after they are resized, as the benchmark does.

    They are decoded once and stay in memory: 150 KB a row at 224 pixels a side.

    Args:
        media: by row and place, None where a row has none.
        params: of the stage that made the features.
        precision: of the encoder.
        seed: of what is drawn.
        places: of a row.

    Raises:
        ConfigError: no such encoder.
        ContractError: a picture that cannot be decoded.
    """

    def __init__(
        self,
        media: Sequence[Medium | None],
        params: ImageFeatureParams,
        precision: Precision,
        seed: int,
        places: int = 1,
    ) -> None:
        self.encoder = PictureEncoder(params, precision)
        super().__init__(media, self.encoder.shape, IMAGE_CORRUPTIONS, seed, places)
        decode = partial(decode_pixels, image_size=params.image_size)
        self.pixels = list(self._ahead(lambda medium: medium.decoded(decode), self.media))

    def _encoded(self, change: Change) -> Iterator[np.ndarray | None]:
        def changed(item: tuple[Medium, np.ndarray]) -> np.ndarray:
            medium, pixels = item
            picture = np.ascontiguousarray(pixels.transpose(1, 2, 0))
            return change(picture, medium.example_id).transpose(2, 0, 1)

        pixels = self._ahead(changed, zip(self.media, self.pixels, strict=True))
        size, precision = self.encoder.params.batch_size, self.encoder.precision
        return encode_pixels(self.encoder.network, pixels, size, precision)

    def _ahead(
        self, work: Callable[..., np.ndarray], items: Iterable[object]
    ) -> Iterator[np.ndarray]:
        return ahead(work, items, self.encoder.params.batch_size)


class Recordings(_Media):
    """Recordings, corrupted at the rate that they are stored at.

    They are decoded each time: a minute of sound is 11 MB at 48 kHz.

    Args:
        media: N, None where a row has none; of a video, its sound.
        params: of the stage that made the features.
        precision: of a Transformers encoder.
        seed: of what is drawn.

    Raises:
        ConfigError: no such encoder, or one of another sampling rate.
    """

    def __init__(
        self,
        media: Sequence[Medium | None],
        params: AudioFeatureParams,
        precision: Precision,
        seed: int,
    ) -> None:
        self.encoder = load_encoder(params, precision)
        super().__init__(media, self.encoder.shape, AUDIO_CORRUPTIONS, seed)

    def _encoded(self, change: Change) -> Iterator[np.ndarray | None]:
        for medium in self.media:
            waveform = sound_of(medium)
            if waveform is None:
                yield None
                continue
            samples = change(waveform.samples, medium.example_id)
            yield self.encoder.features(Waveform(samples, waveform.sampling_rate))


def random_state(seed: int, example_id: str, corruption: str, severity: int) -> np.random.Generator:
    """What a medium is corrupted with hangs on these alone, not on which rows stand beside it."""
    facts = json.dumps([seed, example_id, corruption, severity]).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(facts).digest(), "big"))
