"""Recommenders of random vectors, as an export holds them, made without a run of the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from fuseline.serving.recommending.files import (
    FACTS_FILE,
    FOLDER,
    HISTORIES,
    HISTORIES_FILE,
    ITEMS,
    ITEMS_FILE,
    USER_FILE,
    VECTORS_FILE,
)
from tests.support.untrained_export import picture

AS_OF = 1_700_000_000
DAY = 86_400
GENRES = ("Drama", "Comedy|Drama", "Horror, Comedy")
# ann has seen more than the model reads; cy nothing but one item.
USERS = {"ann": [0, 1, 2, 3, 4, 5], "bob": [7, 7, 2], "cy": [9]}


def write_recommender(
    export: Path, num_items: int = 40, width: int = 8, history: int = 4, seed: int = 0
) -> Path:
    """Add the folder to an export, and give the export's path.

    Each event counts half as much a week later, so that parts differ by their ages.
    """
    folder = export / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"version": 1, "as_of": AS_OF, "history": history, "num_items": num_items}
    facts |= {"width": width, "neighbours": 3, "modalities": ["text", "image"]}
    (folder / FACTS_FILE).write_text(json.dumps(facts))
    random = np.random.default_rng(seed)
    shapes = dict.fromkeys(("vectors", "alone.text", "alone.image"), (num_items, width))
    tensors = {
        name: random.normal(size=shape).astype(np.float32)
        for name, shape in (shapes | {"bias": (num_items,)}).items()
    }
    pairs = num_items, facts["neighbours"]
    tensors["neighbours"] = random.integers(0, num_items, pairs).astype(np.int32)
    tensors["neighbour_weights"] = random.normal(size=pairs).astype(np.float32)
    save_file(tensors, folder / VECTORS_FILE)
    write_items(folder / ITEMS_FILE, num_items)
    histories = [
        {"user": user, "items": rows, "times": [AS_OF - DAY * (9 - n) for n in range(len(rows))]}
        for user, rows in USERS.items()
    ]
    pq.write_table(pa.Table.from_pylist(histories, HISTORIES), folder / HISTORIES_FILE)
    write_user_graph(folder / USER_FILE, history, width)
    return export


def write_items(path: Path, num_items: int) -> None:
    small = picture(8, "WEBP")
    rows = [
        {
            "example_id": f"i{row}",
            "text": f"Film {row}" if row % 10 else None,
            "tabular": [("genre", GENRES[row % 3]), ("year", str(1990 + row % 40))],
            "events": row % 5,
            "first_event": AS_OF - row if row % 5 else None,
            "thumbnail": small if row % 2 and row < 100 else None,
        }
        for row in range(num_items)
    ]
    pq.write_table(pa.Table.from_pylist(rows, ITEMS), path)


def write_user_graph(path: Path, history: int, width: int) -> None:
    """parts = history x mask x 2^(-ages / 7), constant = 0.1."""
    taken = [
        helper.make_tensor_value_info("history", TensorProto.FLOAT, ["B", history, width]),
        helper.make_tensor_value_info("mask", TensorProto.BOOL, ["B", history]),
        helper.make_tensor_value_info("ages", TensorProto.FLOAT, ["B", history]),
    ]
    given = [
        helper.make_tensor_value_info("parts", TensorProto.FLOAT, ["B", history, width]),
        helper.make_tensor_value_info("constant", TensorProto.FLOAT, ["B", width]),
    ]
    known = {
        "week": np.array([-7.0], np.float32),
        "two": np.array([2.0], np.float32),
        "last": np.array([2], np.int64),
        "middle": np.array([1], np.int64),
        "zero": np.array([0.0], np.float32),
        "tenth": np.array([0.1], np.float32),
    }
    nodes = [
        helper.make_node("Div", ["ages", "week"], ["halvings"]),
        helper.make_node("Pow", ["two", "halvings"], ["weights"]),
        helper.make_node("Cast", ["mask"], ["there"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["weights", "there"], ["counted"]),
        helper.make_node("Unsqueeze", ["counted", "last"], ["columns"]),
        helper.make_node("Mul", ["history", "columns"], ["parts"]),
        helper.make_node("ReduceSum", ["history", "middle"], ["sums"], keepdims=0),
        helper.make_node("Mul", ["sums", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "tenth"], ["constant"]),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in known.items()]
    graph = helper.make_graph(nodes, "user", taken, given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
