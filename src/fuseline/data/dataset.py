"""The rows that training and evaluation work on, in memory: token ids, features, labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from fuseline.contracts import (
    TOKENS,
    features_schema,
    iter_shards,
    read_manifest,
    read_table,
)
from fuseline.data.padding import padded
from fuseline.errors import ContractError

# Tensors by name, as `MultimodalData.batch` gives them.
Batch = dict[str, Tensor]
NO_LABEL = -100
# The key of the first task's labels; others have theirs under `<name>_labels`.
LABELS = "labels"
# The batch's pictures (B, 3, S, S) in [0, 255]; no input of the model bears that name.
PIXELS = "image_pixels"
# How far apart in a group a text and its translation may lie.
NEIGHBOURS = 16


@dataclass(frozen=True)
class MultimodalData:
    """N rows of several modalities.

    Attributes:
        example_ids: N ids.
        splits: (N,) `train`, `dev` or `test`.
        groups: (N,) int64; rows of one group share the number.
        langs: (N,) int64; rows of one language share the number.
        input_ids: N int64 arrays, special tokens included.
        text_mask: (N,) bool, False where a row has no text.
        features: by modality, (N, P, D) float16, zeros where absent; where a row may have several
            pictures, NaN at the positions of those that it lacks beside others.
        feature_mask: by modality, (N,) bool.
        pad_token_id: fills up short rows of a batch.
        labels: (N, ...) of the first task; (N,) `NO_LABEL` where nothing is asked.
        other_labels: (N, ...) of each further task, and what its head reads besides, by key.
        label_names: of the first task's classes, in the order of the labels.
        pixels: example ids to their pictures (B, 3, S, S) in [0, 255], where these are wanted too.
    """

    example_ids: list[str]
    splits: np.ndarray
    groups: np.ndarray
    langs: np.ndarray
    input_ids: list[np.ndarray]
    text_mask: np.ndarray
    features: dict[str, np.ndarray]
    feature_mask: dict[str, np.ndarray]
    pad_token_id: int
    labels: np.ndarray
    other_labels: dict[str, np.ndarray] = field(default_factory=dict)
    label_names: list[str] = field(default_factory=list)
    pixels: Callable[[Sequence[str]], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.example_ids)

    @property
    def lengths(self) -> np.ndarray:
        """(N,) number of tokens."""
        return np.array([len(ids) for ids in self.input_ids], dtype=np.int64)

    def present(self, modality: str) -> np.ndarray:
        """(N,) bool: rows that have the modality."""
        if modality == "text":
            return self.text_mask
        return self.feature_mask.get(modality, np.zeros(len(self), dtype=bool))

    @cached_property
    def translations(self) -> np.ndarray:
        """(N,) index of the nearest row of the same group in another language, -1 for none."""
        found = np.full(len(self), -1, dtype=np.int64)
        order = np.argsort(self.groups, kind="stable")
        starts = np.flatnonzero(np.diff(self.groups[order])) + 1
        for members in np.split(order, starts):
            for place, row in enumerate(members):
                near = members[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
                others = near[self.langs[near] != self.langs[row]]
                if len(others):
                    found[row] = others[np.abs(others - row).argmin()]
        return found

    def select(self, split: str) -> MultimodalData:
        """Rows of one split."""
        return self.take(np.flatnonzero(self.splits == split))

    def take(self, rows: np.ndarray) -> MultimodalData:
        """Rows by index."""
        return MultimodalData(
            example_ids=[self.example_ids[row] for row in rows],
            splits=self.splits[rows],
            groups=self.groups[rows],
            langs=self.langs[rows],
            input_ids=[self.input_ids[row] for row in rows],
            text_mask=self.text_mask[rows],
            features={name: values[rows] for name, values in self.features.items()},
            feature_mask={name: mask[rows] for name, mask in self.feature_mask.items()},
            pad_token_id=self.pad_token_id,
            labels=self.labels[rows],
            other_labels={key: values[rows] for key, values in self.other_labels.items()},
            label_names=self.label_names,
            pixels=self.pixels,
        )

    def labels_of(self, key: str) -> np.ndarray:
        """Labels (N, ...) of one task."""
        return self.labels if key == LABELS else self.other_labels[key]

    def batch(self, rows: np.ndarray | Sequence[int]) -> Batch:
        """Tensors of some rows, padded to a multiple of eight tokens.

        Returns:
            `input_ids`, `attention_mask` (B, T) int64; `text_mask` (B,) bool;
            `<modality>_features` (B, P, D) float32, `<modality>_mask` (B,) bool; `labels` (B, ...)
            and those of further tasks; `groups` and `row_numbers`, places in the data, (B,) int64;
            where any row has one, `translation_tokens` (B, T) int64, padding alone for a row
            without; and where they are wanted, `image_pixels` (B, 3, S, S) float32.
        """
        rows = np.asarray(rows)
        ids, mask = pad([self.input_ids[row] for row in rows], self.pad_token_id)
        batch = {
            "input_ids": ids,
            "attention_mask": mask,
            "text_mask": torch.from_numpy(self.text_mask[rows]),
            LABELS: torch.from_numpy(self.labels[rows]),
            "groups": torch.from_numpy(self.groups[rows]),
            "row_numbers": torch.from_numpy(rows.astype(np.int64)),
        }
        for key, labels in self.other_labels.items():
            batch[key] = torch.from_numpy(labels[rows])
        partners = self.translations[rows]
        if (partners >= 0).any():
            none = np.array([self.pad_token_id])
            texts = [self.input_ids[p] if p >= 0 else none for p in partners]
            batch["translation_tokens"] = pad(texts, self.pad_token_id)[0]
        for name, values in self.features.items():
            batch[f"{name}_features"] = torch.from_numpy(values[rows].astype(np.float32))
            batch[f"{name}_mask"] = torch.from_numpy(self.feature_mask[name][rows])
        if self.pixels is not None:
            batch[PIXELS] = self.pixels([self.example_ids[row] for row in rows])
        return batch


def pad(sequences: list[np.ndarray], pad_token_id: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask (B, T), T the padded width of the longest."""
    ids, mask = padded(sequences, pad_token_id)
    return torch.from_numpy(ids), torch.from_numpy(mask)


def load_data(
    tokens: Path,
    features: Path,
    modalities: Sequence[str],
    *,
    pad_token_id: int,
) -> MultimodalData:
    """Read the tables of one data set, in the order of `tokens`.

    Args:
        tokens: the tokens table.
        features: folder with one features table per modality.
        modalities: those to use; without `text`, every row counts as having no text.
        pad_token_id: of the tokenizer.

    Raises:
        ContractError: tables of different runs (other rows or another order).
    """
    table = read_table(tokens, TOKENS, "tokens")
    example_ids = table.column("example_id").to_pylist()
    columns = {
        name: _read_features(features / name, name, example_ids)
        for name in modalities
        if name != "text"
    }
    has_text = table.column("has_text").to_numpy(zero_copy_only=False)
    return MultimodalData(
        example_ids=example_ids,
        splits=np.array(table.column("split").to_pylist()),
        groups=_numbered(table.column("group").to_pylist()),
        langs=_numbered([lang or "" for lang in table.column("lang").to_pylist()]),
        input_ids=_lists(table.column("input_ids")),
        text_mask=has_text if "text" in modalities else np.zeros(len(has_text), dtype=bool),
        features={name: values for name, (values, _) in columns.items()},
        feature_mask={name: mask for name, (_, mask) in columns.items()},
        pad_token_id=pad_token_id,
        labels=np.full(len(example_ids), NO_LABEL, dtype=np.int64),
    )


def feature_shape(features: Path) -> tuple[int, int]:
    """`(positions, dim)` of a features table."""
    positions, dim = read_manifest(features, "features")["shape"]
    return positions, dim


def _read_features(
    folder: Path, name: str, example_ids: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    positions, dim = feature_shape(folder)
    values = np.zeros((len(example_ids), positions, dim), dtype=np.float16)
    mask = np.zeros(len(example_ids), dtype=bool)
    row = 0
    for shard, table in iter_shards(folder, features_schema(positions, dim), "features"):
        end = row + table.num_rows
        check_order(f"{folder}/{shard}", table.column("example_id"), example_ids[row:end])
        column = table.column("features").combine_chunks()
        present = column.is_valid().to_numpy(zero_copy_only=False)
        mask[row:end] = present
        flat = column.drop_null().flatten().to_numpy(zero_copy_only=False)
        values[row:end][present] = flat.reshape(-1, positions, dim)
        row = end
    if row != len(example_ids):
        raise ContractError(
            f"{folder}: {name} features have {row} rows, tokens have {len(example_ids)}."
            " Run `dvc repro` to make both from the same examples."
        )
    return values, mask


def check_order(where: str, found: pa.ChunkedArray, expected: list[str]) -> None:
    """Refuse a table whose rows are not those of the tokens table.

    Raises:
        ContractError: naming `where`.
    """
    if found.to_pylist() != expected:
        raise ContractError(
            f"{where}: its rows are not those of the tokens table, in the same order."
            " Run `dvc repro` to make both from the same examples."
        )


def _numbered(values: list[str]) -> np.ndarray:
    return np.unique(np.array(values), return_inverse=True)[1].astype(np.int64)


def _lists(column: pa.ChunkedArray) -> list[np.ndarray]:
    array = column.combine_chunks()
    flat = array.flatten().to_numpy().astype(np.int64)
    ends = np.cumsum(pc.list_value_length(array).to_numpy().astype(np.int64))
    return np.split(flat, ends[:-1]) if len(array) else []
