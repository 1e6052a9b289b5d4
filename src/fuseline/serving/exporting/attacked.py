"""Graphs that take perturbations of word vectors, to try an attack's inputs on an export."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from fuseline.errors import ContractError

TEXT_DELTA = "text_delta"
_ATTACKED = "word_vectors_under_attack"
# What stands between the table of word vectors and its first use.
_CASTS = ("DequantizeLinear", "Cast", "Identity")


def write_attackable(path: Path, attackable: Path, width: int) -> None:
    """Write a model's graph again with one more input, `text_delta` (B, T, D), which is added to
    the word vectors; zeros change nothing.

    Args:
        path: of the graph, in floats or 8-bit integers.
        attackable: of the new one.
        width: D.
    """
    model = onnx.load(str(path))
    graph = model.graph
    found = word_vectors(graph)
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == found:
                node.input[place] = _ATTACKED
    made = next(place for place, node in enumerate(graph.node) if found in node.output)
    graph.node.insert(made + 1, helper.make_node("Add", [found, TEXT_DELTA], [_ATTACKED]))
    shape = ["batch", "tokens", width]
    graph.input.append(helper.make_tensor_value_info(TEXT_DELTA, TensorProto.FLOAT, shape))
    attackable.write_bytes(model.SerializeToString(deterministic=True))


def word_vectors(graph: onnx.GraphProto) -> str:
    """Name of the word vectors (B, T, D) within a model's graph.

    Raises:
        ContractError: the token ids are looked up in no table.
    """
    lookups = [
        node for node in graph.node if node.op_type == "Gather" and "input_ids" in node.input
    ]
    if len(lookups) != 1:
        raise ContractError(
            f"model.onnx: expected one table that token ids are looked up in, found {len(lookups)}."
        )
    name: str = lookups[0].output[0]
    while True:
        users = [node for node in graph.node if name in node.input]
        if len(users) != 1 or users[0].op_type not in _CASTS:
            return name
        name = users[0].output[0]
