"""Raw texts, pictures, sounds and table rows to what the model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import BatchFeature, PreTrainedTokenizerFast, ProcessorMixin

from fuseline.contracts import EXAMPLES, TEXT_JOINT, read_manifest
from fuseline.data.media.waveform import Waveform
from fuseline.data.modalities.audio.log_mel import LOG_MEL, LogMel
from fuseline.data.modalities.image.pixels import picture_to_pixels, stack_pixels
from fuseline.data.modalities.tabular.encoding import TabularEncoding
from fuseline.data.modalities.text.encoder import read_encoder_facts, special_spellings
from fuseline.data.modalities.text.segments import encode_rows
from fuseline.params.extract_features import AudioFeatureParams

Sound = tuple[np.ndarray, int]
Cells = Mapping[str, str | None]
RowPictures = Image.Image | Sequence[Image.Image | None] | None
RowText = str | Sequence[str | None] | None


class FuselineProcessor(ProcessorMixin):
    """Prepares rows as the pipeline's stages did for training.

    Args:
        tokenizer: the fast tokenizer.
        image_size: pixels a side of a prepared picture; 0 for a model without pictures.
        max_length_tokens: longer texts are cut.
        log_mel: `sampling_rate`, `num_mels` and `positions` of the spectra; None for a model
            without sounds, or with features of a frozen audio encoder.
        columns: the fitted columns of the table, as its features' manifest has them; None for a
            model without.
    """

    attributes: ClassVar[list[str]] = ["tokenizer"]
    tokenizer_class = "PreTrainedTokenizerFast"

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        image_size: int = 224,
        max_length_tokens: int = 64,
        log_mel: dict[str, int] | None = None,
        columns: list[dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.image_size = image_size
        self.max_length_tokens = max_length_tokens
        self.log_mel = log_mel
        self.columns = columns
        super().__init__(tokenizer, **kwargs)

    def __call__(
        self,
        text: Sequence[RowText] | str | None = None,
        images: Sequence[RowPictures] | Image.Image | None = None,
        audio: Sequence[Sound | None] | None = None,
        tabular: Sequence[Cells | None] | None = None,
    ) -> BatchFeature:
        """Prepare a batch. A row lacks what is None in its place; a modality that is left out is
        absent in every row.

        Args:
            text: texts of the rows; several of one row as a sequence, in the order of the columns
                that the model was trained on, None for one that is absent.
            images: pictures of the rows; several of one row as a sequence by place, None for one
                that is absent.
            audio: `(samples, sampling rate)`, float samples (N,) in [-1, 1] and Hz.
            tabular: cells by column name, spelt as in the table that the model was trained on.

        Returns:
            `input_ids`, `attention_mask` (B, T), `text_mask` (B,); with pictures `pixel_values`
            (B, 3, S, S) in [0, 255], of several a row (B, K, 3, S, S) with NaN for the absent;
            with sounds `audio_features` and with cells
            `tabular_features` (B, P, D); and `<modality>_mask` (B,) beside each.

        Raises:
            ValueError: nothing is given, numbers of rows differ, or the model knows no such
                modality.
        """
        given: dict[str, Sequence[Any] | None] = {
            "texts": [text] if isinstance(text, str) else text,
            "images": [images] if isinstance(images, Image.Image) else images,
            "sounds": audio,
            "table rows": tabular,
        }
        rows = _num_rows(given)
        batch = self._text(given["texts"] or [None] * rows)
        if given["images"] is not None:
            batch |= self._pictures(given["images"])
        if audio is not None:
            batch |= self._sounds(audio)
        if tabular is not None:
            batch |= self._cells(tabular)
        return BatchFeature(batch)

    def _text(self, texts: Sequence[RowText]) -> dict[str, Tensor]:
        joined = [_joined(text) for text in texts]
        ids = [torch.tensor(row) for row in self.token_ids(joined)]
        padded = pad_sequence(ids, batch_first=True, padding_value=self.tokenizer.pad_token_id)
        ones = [torch.ones_like(row) for row in ids]
        return {
            "input_ids": padded,
            "attention_mask": pad_sequence(ones, batch_first=True),
            "text_mask": _present(joined),
        }

    def token_ids(self, texts: Sequence[str | None]) -> list[list[int]]:
        """Token ids of texts as the examples table has them, special ones alone where there is
        none."""

        def encode(plain: list[str]) -> list[list[int]]:
            # Cut by rows: a row may have several texts.
            ids: list[list[int]] = self.tokenizer(plain, truncation=False)["input_ids"]
            return ids

        return encode_rows(texts, encode, self.max_length_tokens)

    def _pictures(self, rows: Sequence[RowPictures]) -> dict[str, Tensor]:
        if not self.image_size:
            raise ValueError("FuselineProcessor: this model was trained without images.")
        listed = [row if isinstance(row, Sequence) else [row] for row in rows]
        mask = torch.tensor([any(picture is not None for picture in row) for row in listed])
        places = max([1, *(len(row) for row in listed)])
        side = self.image_size
        blank = Image.new("RGB", (side, side))
        pictures = [picture for row in listed for picture in (*row, *[None] * (places - len(row)))]
        pixels = stack_pixels([picture_to_pixels(picture or blank, side) for picture in pictures])
        if places > 1:
            pixels[~_present(pictures)] = torch.nan
            pixels = pixels.reshape(len(listed), places, *pixels.shape[1:])
        return {"pixel_values": pixels, "image_mask": mask}

    def _sounds(self, sounds: Sequence[Sound | None]) -> dict[str, Tensor]:
        if self.log_mel is None:
            raise ValueError(
                "FuselineProcessor: this model was trained without log-mel spectra. If a frozen"
                " audio encoder made its features, give `audio_features` to the model yourself."
            )
        spectra = LogMel(AudioFeatureParams(encoder=LOG_MEL, **self.log_mel))
        values = np.zeros((len(sounds), *spectra.shape), dtype=np.float32)
        for row, sound in enumerate(sounds):
            if sound is not None:
                samples, sampling_rate = sound
                values[row] = spectra.features(
                    Waveform(np.asarray(samples, dtype=np.float32), sampling_rate)
                )
        return {"audio_features": torch.from_numpy(values), "audio_mask": _present(sounds)}

    def _cells(self, table: Sequence[Cells | None]) -> dict[str, Tensor]:
        if self.columns is None:
            raise ValueError("FuselineProcessor: this model was trained without table columns.")
        cells = pa.array(
            [row and list(row.items()) for row in table], EXAMPLES.field("tabular").type
        )
        values, _ = TabularEncoding.from_manifest(self.columns).encode(cells)
        return {
            "tabular_features": torch.from_numpy(values.astype(np.float32)),
            "tabular_mask": _present(table),
        }


def _num_rows(given: Mapping[str, Sequence[Any] | None]) -> int:
    counts = {name: len(items) for name, items in given.items() if items is not None}
    if not counts:
        raise ValueError(f"FuselineProcessor: give some of {', '.join(given)}.")
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise ValueError(f"FuselineProcessor: expected one of each per row, found {found}.")
    return next(iter(counts.values()))


def _joined(text: RowText) -> str | None:
    """The text of a row as the examples table has it; None where all of several are absent."""
    if text is None or isinstance(text, str):
        return text
    return TEXT_JOINT.join(part for part in text if part) or None


def _present(items: Sequence[Any]) -> Tensor:
    """(B,) bool."""
    return torch.tensor([item is not None for item in items])


def create_processor(
    tokenizer_folder: Path, features: Path, modalities: Sequence[str]
) -> FuselineProcessor:
    """The processor of a tokenizer folder and of the features tables of some modalities."""
    facts = read_encoder_facts(tokenizer_folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer_folder / "tokenizer.json"),
        **{f"{name}_token": token for name, token in special_spellings(tokenizer_folder).items()},
    )
    manifests = {
        name: manifest
        for name in modalities
        if name != "text"
        # Without an encoder no row has the modality.
        if (manifest := read_manifest(features / name, "features"))["encoder"]
    }
    return FuselineProcessor(
        tokenizer,
        image_size=manifests["image"]["image_size"] if "image" in manifests else 0,
        max_length_tokens=facts["max_length_tokens"],
        log_mel=_log_mel(manifests.get("audio")),
        columns=manifests["tabular"]["columns"] if "tabular" in manifests else None,
    )


def _log_mel(manifest: dict[str, Any] | None) -> dict[str, int] | None:
    if manifest is None or manifest["encoder"] != LOG_MEL:
        return None
    return {
        "sampling_rate": manifest["sampling_rate"],
        "num_mels": manifest["num_mels"],
        "positions": manifest["shape"][0],
    }
