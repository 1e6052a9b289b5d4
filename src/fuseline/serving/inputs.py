"""Cleaned rows to what a model's graph takes.

Shapes: N rows, T tokens, P positions and D width of a modality's features, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fuseline.contracts import EXAMPLES
from fuseline.data.ingest.candidate import Record
from fuseline.data.modalities.audio.features import load_encoder
from fuseline.data.modalities.extraction.stored_media import Medium, by_place
from fuseline.data.modalities.image.pixels import decode_pixels, picture_to_pixels
from fuseline.data.modalities.tabular.encoding import TabularEncoding
from fuseline.data.modalities.text.segments import encode_rows
from fuseline.data.modalities.text.tokenizer import load_tokenizer
from fuseline.data.padding import padded
from fuseline.params.extract_features import AudioFeatureParams
from fuseline.serving.contract import ExportContract, FeatureInput, TextInput
from fuseline.serving.sessions import Graph

# Pictures that are encoded together.
PICTURES_AT_ONCE = 8


@dataclass(frozen=True)
class Prepared:
    """N rows as a model's graph takes them, of any length.

    Attributes:
        input_ids: N arrays of token ids; empty arrays of a model without text.
        offsets: characters of each row's tokens, where a task asks for them.
        present: (N,) bool by modality.
        features: (N, P, D) float16 by modality.
        shortest: positions that are enough where all rows lack it, by modality.
    """

    input_ids: list[np.ndarray]
    offsets: list[list[tuple[int, int]]]
    present: dict[str, np.ndarray]
    features: dict[str, np.ndarray]
    shortest: dict[str, int]

    def order(self) -> np.ndarray:
        """Numbers of the rows, those of one kind and of like length together."""
        lengths = np.array([len(ids) for ids in self.input_ids], dtype=np.int64)
        kinds = [self.present[name] for name in sorted(self.present)]
        return np.lexsort((lengths, *kinds))

    def batch(self, rows: np.ndarray, pad_token_id: int) -> dict[str, np.ndarray]:
        """Inputs of some rows by name; of a modality that all lack, as little as is enough."""
        given: dict[str, np.ndarray] = {}
        if "text" in self.present:
            ids, mask = padded([self.input_ids[row] for row in rows], pad_token_id)
            given = {"input_ids": ids, "attention_mask": mask}
            given["text_mask"] = self.present["text"][rows]
        for name, values in self.features.items():
            here = self.present[name][rows]
            kept = values.shape[1] if here.any() else self.shortest[name]
            given[f"{name}_features"] = values[rows, :kept].astype(np.float32)
            given[f"{name}_mask"] = here
        return given


class Preparer:
    """Makes inputs of rows.

    Args:
        folder: of the export.
        contract: of it.
        threads: that an encoder computes on.
    """

    def __init__(self, folder: Path, contract: ExportContract, threads: int) -> None:
        self._text = contract.text and Texts(folder, contract.text)
        self._encoders = {
            name: ENCODERS[name](folder, facts, threads)
            for name, facts in contract.features.items()
            if facts.encoder
        }
        self._facts = contract.features
        self._tags = any(task.kind == "token_classification" for task in contract.tasks)

    def __call__(self, records: Sequence[Record]) -> Prepared:
        """Prepare N rows."""
        ids = [np.zeros(0, dtype=np.int64)] * len(records)
        offsets: list[list[tuple[int, int]]] = [[] for _ in records]
        present, features = {}, {}
        if self._text:
            texts = [record["text"] for record in records]
            ids = self._text(texts)
            offsets = self._text.offsets(texts) if self._tags else offsets
            present["text"] = np.array([text is not None for text in texts], dtype=bool)
        for name, facts in self._facts.items():
            values = np.zeros((len(records), facts.positions, facts.dim), dtype=np.float16)
            here = np.zeros(len(records), dtype=bool)
            if encoder := self._encoders.get(name):
                values, here = encoder(records)
            features[name], present[name] = values, here
        shortest = {name: facts.shortest for name, facts in self._facts.items()}
        return Prepared(ids, offsets, present, features, shortest)


class Texts:
    """Texts to token ids, as the stage `tokenize` has them."""

    def __init__(self, folder: Path, facts: TextInput) -> None:
        self.tokenizer = load_tokenizer(folder)
        self.longest = facts.max_length_tokens

    def __call__(self, texts: Sequence[str | None]) -> list[np.ndarray]:
        """Token ids of N texts."""

        def encode(plain: list[str]) -> list[list[int]]:
            return [one.ids for one in self.tokenizer.encode_batch(plain)]

        return [np.array(row, dtype=np.int64) for row in encode_rows(texts, encode, self.longest)]

    def offsets(self, texts: Sequence[str | None]) -> list[list[tuple[int, int]]]:
        """Characters `(start, end)` of the tokens of N texts."""
        encoded = self.tokenizer.encode_batch([text or "" for text in texts])
        return [one.offsets[: self.longest] for one in encoded]


class PictureInputs:
    """Pictures of rows to features, by their places."""

    def __init__(self, folder: Path, facts: FeatureInput, threads: int) -> None:
        assert facts.file is not None  # every encoder of pictures has a graph
        self.graph = Graph(folder / facts.file, threads)
        self.facts = facts

    def __call__(self, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
        """(N, P, D) float16 and (N,) bool."""
        side, places = self.facts.settings["image_size"], self.facts.places
        found = [one for record in records for one in _pictures(record, places)]
        kept = [place for place, content in enumerate(found) if content is not None]
        pixels = (decode_pixels(content, side) for content in found if content is not None)
        each = self.facts.positions // places
        values = np.zeros((len(found), each, self.facts.dim), dtype=np.float16)
        for place, features in zip(kept, encode(self.graph, pixels), strict=True):
            values[place] = features
        here = np.zeros(len(found), dtype=bool)
        here[kept] = True
        any_there: np.ndarray = np.logical_or.reduce(here.reshape(-1, places), axis=1)
        return by_place(values, here, places), any_there


def _pictures(record: Record, places: int) -> list[bytes | None]:
    """Contents of a row's pictures by place."""
    first = record["image"]
    if places == 1:
        return [first and first["bytes"]]
    found: list[bytes | None] = [None] * places
    kept = [one["bytes"] for one in (first, *record["more_images"]) if one]
    for place, content in zip(record["image_places"], kept, strict=True):
        found[place] = content
    return found


class FilmInputs:
    """Frames of videos to features, one position each."""

    def __init__(self, folder: Path, facts: FeatureInput, threads: int) -> None:
        assert facts.file is not None  # every encoder of frames has a graph
        self.graph = Graph(folder / facts.file, threads)
        self.facts = facts

    def __call__(self, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
        """(N, P, D) float16 and (N,) bool."""
        from fuseline.data.media.video import sample_frames

        shape = (len(records), self.facts.positions, self.facts.dim)
        values, here = np.zeros(shape, dtype=np.float16), np.zeros(len(records), dtype=bool)
        settings = self.facts.settings
        for row, record in enumerate(records):
            if record["video"]:
                frames = sample_frames(record["video"]["bytes"], settings["num_frames"])
                pixels = (picture_to_pixels(frame, settings["image_size"]) for frame in frames)
                values[row] = np.concatenate(list(encode(self.graph, pixels)))
                here[row] = True
        return values, here


class SoundInputs:
    """Sounds of rows, else those of their videos, to features."""

    def __init__(self, _folder: Path, facts: FeatureInput, _threads: int) -> None:
        settings = {"encoder": facts.encoder, "positions": facts.positions, **facts.settings}
        self.encoder = load_encoder(AudioFeatureParams.model_construct(**settings), "fp32")
        self.facts = facts

    def __call__(self, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
        """(N, P, D) float16 and (N,) bool."""
        shape = (len(records), self.facts.positions, self.facts.dim)
        values, here = np.zeros(shape, dtype=np.float16), np.zeros(len(records), dtype=bool)
        for row, record in enumerate(records):
            column = next((name for name in ("audio", "video") if record[name]), None)
            if column is None:
                continue
            medium = Medium(record["example_id"], column, record[column]["bytes"])
            (found,) = self.encoder.encode([medium])
            if found is not None:
                values[row], here[row] = found, True
        return values, here


class CellInputs:
    """Cells of rows to features."""

    def __init__(self, _folder: Path, facts: FeatureInput, _threads: int) -> None:
        self.encoding = TabularEncoding.from_manifest(facts.settings["columns"])

    def __call__(self, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
        """(N, 1, D) float16 and (N,) bool."""
        given = [record["tabular"] and list(record["tabular"].items()) for record in records]
        cells = pa.array(given, EXAMPLES.field("tabular").type)
        values, _ = self.encoding.encode(cells)
        return values, np.array([row is not None for row in given], dtype=bool)


ENCODERS: dict[str, Any] = {
    "image": PictureInputs,
    "audio": SoundInputs,
    "video": FilmInputs,
    "tabular": CellInputs,
}


def encode(graph: Graph, pixels: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Features (P, D) float16 of each of the pixels (3, S, S) uint8."""
    waiting = iter(pixels)
    while batch := list(islice(waiting, PICTURES_AT_ONCE)):
        given = np.stack(batch).astype(np.float32)
        yield from graph({"pixels": given})["features"].astype(np.float16)
