"""What an export's folder `recommender` holds, read and checked.

Shapes: N items, S width.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open

from fuseline.errors import ConfigError, ContractError

FOLDER = "recommender"
FACTS_FILE, ITEMS_FILE, VECTORS_FILE = "recommender.json", "items.parquet", "items.safetensors"
USER_FILE, HISTORIES_FILE = "user.onnx", "histories.parquet"
VERSION = 1
ALONE = "alone."
NEIGHBOURS, NEIGHBOUR_WEIGHTS = "neighbours", "neighbour_weights"
REMEDY = "Export the model again with `dvc repro export`, or fetch it with `dvc pull`."
# Of each item, in the order of the vectors.
ITEMS = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("tabular", pa.map_(pa.string(), pa.string())),
        pa.field("events", pa.int64(), nullable=False),
        pa.field("first_event", pa.int64()),
        pa.field("thumbnail", pa.binary()),
    ]
)
# All known events of each user, the oldest first; users sorted.
HISTORIES = pa.schema(
    [
        pa.field("user", pa.string(), nullable=False),
        pa.field("items", pa.list_(pa.int32()), nullable=False),
        pa.field("times", pa.list_(pa.int64()), nullable=False),
    ]
)


class Facts(BaseModel):
    """`recommender.json`.

    Attributes:
        version: of the layout.
        as_of: seconds since 1970: the time that the trend is of.
        history: events of a user that the model reads, the last ones.
        num_items: N.
        width: S.
        neighbours: M, items that each speaks for beside the vectors; 0 for none.
        modalities: that vectors of items alone are kept of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: int
    as_of: int
    history: int
    num_items: int
    width: int
    neighbours: int
    modalities: list[str]


@dataclass(frozen=True)
class Vectors:
    """Of N items.

    Attributes:
        items: (N, S) float32.
        bias: (N,) float32: what each has whoever asks.
        alone: (N, S) float32 by modality: vectors if the items had nothing else.
        neighbours: (N, M) int32 rows of items for which each speaks where it is in a history.
        weights: (N, M) float32 by how much.
    """

    items: np.ndarray
    bias: np.ndarray
    alone: Mapping[str, np.ndarray]
    neighbours: np.ndarray
    weights: np.ndarray


def read_facts(export: Path) -> Facts:
    """What the recommender of an export says of itself.

    Raises:
        ConfigError: there is no export, or it recommends nothing.
        ContractError: the file is damaged, or of another version.
    """
    path = export / FOLDER / FACTS_FILE
    if not export.is_dir():
        raise ConfigError(f"{export}: no such folder. {REMEDY}")
    if not path.parent.is_dir():
        raise ConfigError(
            f"{path.parent}: no such folder: this export's first task is not recommendation; name"
            " an export whose is with --model, or set finetune.tasks to [{kind: recommendation,"
            " target: null, weight: 1.0}] and run `dvc repro export`."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: not readable as JSON ({error}). {REMEDY}") from None
    found = content.get("version") if isinstance(content, dict) else None
    if found != VERSION:
        raise ContractError(f"{path}: version: expected {VERSION}, found {found}. {REMEDY}")
    try:
        return Facts.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ContractError(f"{path}: {where}: {first['msg']}. {REMEDY}") from None


def read_rows(path: Path, schema: pa.Schema) -> pa.Table:
    """A table of the folder.

    Raises:
        ContractError: it is not there, or damaged, or has other columns.
    """
    try:
        return pq.read_table(path, schema=schema, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise ContractError(f"{path}: not readable as its table ({error}). {REMEDY}") from None


def read_vectors(path: Path, facts: Facts) -> Vectors:
    """The vectors of the items.

    Raises:
        ContractError: they are not those that the facts tell of.
    """
    items, pairs = facts.num_items, (facts.num_items, facts.neighbours)
    expected: dict[str, tuple[tuple[int, ...], type]] = {
        "vectors": ((items, facts.width), np.float32),
        "bias": ((items,), np.float32),
        **{ALONE + name: ((items, facts.width), np.float32) for name in facts.modalities},
    }
    if facts.neighbours:
        expected |= {NEIGHBOURS: (pairs, np.int32), NEIGHBOUR_WEIGHTS: (pairs, np.float32)}
    found: dict[str, Any] = {}
    try:
        with safe_open(path, framework="numpy") as file:
            for name in expected:
                found[name] = file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise ContractError(f"{path}: not readable ({error}). {REMEDY}") from None
    for name, (shape, kind) in expected.items():
        values = found[name]
        if values.shape != shape or values.dtype != kind:
            raise ContractError(
                f"{path}: {name}: expected {kind.__name__} of {shape} as {FACTS_FILE} says, found"
                f" {values.dtype} of {values.shape}. {REMEDY}"
            )
        if not np.isfinite(values).all():
            raise ContractError(f"{path}: {name}: expected finite numbers, found others. {REMEDY}")
    neighbours = found.get(NEIGHBOURS, np.zeros(pairs, dtype=np.int32))
    if neighbours.size and not 0 <= neighbours.min() <= neighbours.max() < items:
        raise ContractError(
            f"{path}: {NEIGHBOURS}: expected rows of {items} items, found {neighbours.min()} to"
            f" {neighbours.max()}. {REMEDY}"
        )
    return Vectors(
        found["vectors"],
        found["bias"],
        {name: found[ALONE + name] for name in facts.modalities},
        neighbours,
        found.get(NEIGHBOUR_WEIGHTS, np.zeros(pairs, dtype=np.float32)),
    )
