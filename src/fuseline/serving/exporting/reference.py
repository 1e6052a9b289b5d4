"""How the export answers the test rows: what rows in use are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.trust.scope import Scope, nearest, unit
from fuseline.learning.model.passes import length_batches
from fuseline.serving.answers import ANSWERS
from fuseline.serving.answers.base import Answered, rounded
from fuseline.serving.contract import VECTOR, ExportContract
from fuseline.serving.exporting.formats import GraphModel
from fuseline.serving.scores import score_columns


def reference_scores(
    graph: GraphModel,
    contract: ExportContract,
    known: np.ndarray,
    data: MultimodalData,
    batch_size: int,
) -> Mapping[str, list[Any]]:
    """Columns of `SCORES` of N test rows, as the predictor would give them.

    Args:
        graph: in float32.
        contract: of the export.
        known: (M, W) unit vectors of training rows.
        data: the N rows.
        batch_size: rows that the graph computes at once.
    """
    task = contract.tasks[0]
    is_class = task.kind == "classification"
    wanted = {VECTOR, *((task.output, *task.by_modality.values()) if is_class else ())}
    present = {name: data.present(name) for name in contract.modalities}
    outputs = _outputs(graph, wanted, data, batch_size)
    empty: Any = [None] * len(data)
    answered = Answered(empty, empty, outputs, present, [])
    found: dict[str, list[Any]] = {}
    if is_class:
        found = ANSWERS[task.kind](task, contract.certainty, with_all=False).columns(answered)
    facts = contract.scope
    scope = Scope(facts.neighbours, facts.quantiles, facts.false_refusals)
    distances = np.zeros(0, dtype=np.float32)
    if len(data) and len(known):
        vectors = unit(answered.stacked(VECTOR))
        distances = nearest(vectors, known, scope.neighbours)[1][:, -1]
    scores = scope.scores(distances)
    found["out_of_scope"] = rounded(scores)
    found["in_scope"] = [not outside for outside in scope.is_outside(scores)]
    return score_columns(contract, found, present, len(data))


def _outputs(
    graph: GraphModel, wanted: set[str], data: MultimodalData, batch_size: int
) -> dict[str, list[np.ndarray]]:
    """Outputs of the graph by name, an array for each row."""
    found: dict[str, list[Any]] = {name: [None] * len(data) for name in wanted}
    for rows in length_batches(data, np.arange(len(data)), batch_size):
        outputs = graph.outputs(data.batch(rows))
        for name in wanted:
            for row, value in zip(rows, outputs[name].numpy(), strict=True):
                found[name][row] = value
    return found
