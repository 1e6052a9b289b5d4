"""What each format of an export is worth: scores, agreement with the model, and what stands of
the inputs of an attack.

Shapes: N rows, B rows of a batch, T tokens, D width of the word vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import Batch, MultimodalData
from fuseline.evaluation.ablation import keep
from fuseline.evaluation.robustness.target import Goal, Spent, Target, goal_of
from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins
from fuseline.learning.attacks import Deltas, build_attack
from fuseline.learning.model.output import TaskOutput
from fuseline.learning.model.passes import Model, length_batches
from fuseline.learning.objectives.perturbation import FEATURE_SUFFIX, TEXT_SPACE
from fuseline.learning.tasks.base import Task
from fuseline.learning.tasks.prediction import Predicted, predict
from fuseline.params.attack import AttackParams
from fuseline.pipeline.precision import Precision
from fuseline.serving.contract import VECTOR, ExportedTask, FeatureInput
from fuseline.serving.exporting.attacked import TEXT_DELTA
from fuseline.serving.sessions import Graph

# Rows of a batch, of a graph that is compared: one alone, some, many.
BATCHES = (1, 3, 32)
# Rows that are compared in small batches, and with modalities taken away.
COMPARED_ROWS = 48


class GraphModel:
    """A graph in the place of the model that it was made of.

    Args:
        graph: of the model.
        tasks: those that it answers.
        features: modalities that come as features.
    """

    def __init__(
        self, graph: Graph, tasks: Sequence[ExportedTask], features: Mapping[str, FeatureInput]
    ) -> None:
        self.graph = graph
        self.tasks = tasks
        self.features = features

    def __call__(self, **batch: Tensor) -> TaskOutput:
        """Logits of its tasks, and of each modality alone."""
        found = self.outputs(batch)
        return TaskOutput(
            [found[task.output] for task in self.tasks],
            [{k: found[v] for k, v in task.by_modality.items()} for task in self.tasks],
        )

    def outputs(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs of the graph by name."""
        given = {name: batch[name].numpy() for name in self.graph.inputs}
        for name, facts in self.features.items():
            # As the predictor does.
            if not given[f"{name}_mask"].any():
                given[f"{name}_features"] = given[f"{name}_features"][:, : facts.shortest]
        return {name: torch.from_numpy(value) for name, value in self.graph(given).items()}


def vectors(model: GraphModel, data: MultimodalData, batch_size: int) -> np.ndarray:
    """Fused vectors (N, W) float32 of N rows, in their order."""
    width = 0
    parts, places = [], []
    for rows in length_batches(data, np.arange(len(data)), batch_size):
        parts.append(model.outputs(data.batch(rows))[VECTOR].numpy())
        places.append(rows)
        width = parts[-1].shape[1]
    if not parts:
        return np.zeros((0, width), dtype=np.float32)
    return np.asarray(np.concatenate(parts)[np.argsort(np.concatenate(places))])


@dataclass(frozen=True)
class Judge:
    """What formats are judged by.

    Attributes:
        model: in evaluation mode.
        tasks: of the model, those that graphs answer; the first is scored.
        exported: the same as the contract has them.
        test: N test rows.
        temperature: of the first task's probabilities.
        num_bins: of their confidence.
        batch_size: rows of a batch.
    """

    model: Model
    tasks: list[Task]
    exported: list[ExportedTask]
    test: MultimodalData
    temperature: float
    num_bins: int
    batch_size: int

    def figures(self, model: Model) -> tuple[dict[str, Any], Predicted]:
        """Scores of a format's first task, with `ece` of a classification; and what it found."""
        first = self.tasks[0]
        found = predict(model, self.tasks, self.test, self.batch_size)[0]
        figures: dict[str, Any] = dict(first.scores(found.outputs, found.data))
        if first.kind == "classification":
            probabilities = first.probabilities(found.outputs / self.temperature)
            bins = reliability_bins(probabilities, found.data.labels, self.num_bins)
            figures["ece"] = expected_calibration_error(bins)
        return figures, found

    def largest_difference(self, graph: GraphModel) -> float:
        """Of any output, between the graph and the model: over all rows, in batches of several
        sizes, and of some rows with each subset of the modalities."""
        names = [name for name in self._modalities() if self.test.present(name).any()]
        some = self.test.take(np.arange(min(len(self.test), COMPARED_ROWS)))
        trials = [(self.test, BATCHES[-1]), *((some, size) for size in BATCHES[:-1])]
        for count in range(len(names)):
            trials += [(keep(some, kept), BATCHES[-1]) for kept in combinations(names, count)]
        return max(self._difference(graph, data, size) for data, size in trials)

    def _modalities(self) -> list[str]:
        return list(self.model.config.modalities)

    def _difference(self, graph: GraphModel, data: MultimodalData, batch_size: int) -> float:
        worst = 0.0
        for rows in length_batches(data, np.arange(len(data)), batch_size):
            batch = data.batch(rows)
            with torch.inference_mode():
                expected = self.model(**without_labels(batch))
            found = graph(**batch)
            for task, logits in enumerate(found.by_task):
                number = int(self.exported[task].output.removeprefix("task_"))
                pairs = [(logits, expected.by_task[number])]
                alone = expected.by_modality[number]
                pairs += [(v, alone[k]) for k, v in found.by_modality[task].items()]
                worst = max(worst, *(float((a - b).abs().max()) for a, b in pairs))
        return worst


def without_labels(batch: Batch) -> Batch:
    """The batch as the model's user has it."""
    return {name: value for name, value in batch.items() if "labels" not in name}


@dataclass(frozen=True)
class Replay:
    """Inputs that an attack found on the model, kept to be tried on its exports.

    Attributes:
        task: the first.
        width: D.
        batches: of labelled rows, each with its deltas by space.
    """

    task: Task
    width: int
    batches: list[tuple[Batch, Deltas]]

    @classmethod
    def found(
        cls, model: Model, task: Task, data: MultimodalData, params: AttackParams, setting: Setting
    ) -> Replay:
        """Run an attack once on every row, from one random start."""
        attack, goal = build_attack(params), goal_of(task)
        generator = torch.Generator().manual_seed(setting.seed)
        batches = []
        for rows in length_batches(data, np.arange(len(data)), BATCHES[-1]):
            batch = data.batch(rows)
            target = Target(model, batch, goal, params.epsilon, setting.precision, Spent())
            batches.append((batch, target.climb(attack, goal.losses[0], 1.0, generator)))
        return cls(task, word_width(model), batches)

    @property
    def goal(self) -> Goal:
        """What must not be left right."""
        return goal_of(self.task)

    def standing_of_model(self, model: Model, setting: Setting) -> float:
        """Share of the rows that the model gets right with and without the deltas."""
        spaces = sorted({space for _, deltas in self.batches for space in deltas})
        right = []
        for batch, deltas in self.batches:
            target = Target(model, batch, self.goal, spaces, setting.precision, Spent())
            fallen = target.fallen({}) | target.fallen(deltas)
            right.append(~fallen)
        return _share(right)

    def standing(self, attackable: GraphModel) -> float:
        """The same of a graph that takes `text_delta`."""
        return _share(
            [
                self._right(attackable, batch, {}) & self._right(attackable, batch, deltas)
                for batch, deltas in self.batches
            ]
        )

    def _right(self, attackable: GraphModel, batch: Batch, deltas: Deltas) -> Tensor:
        given = dict(batch)
        if "input_ids" in batch:
            given[TEXT_DELTA] = torch.zeros(*batch["input_ids"].shape, self.width)
        for space, delta in deltas.items():
            if space == TEXT_SPACE:
                given[TEXT_DELTA] = delta.detach()
            else:
                name = f"{space.removesuffix(FEATURE_SUFFIX)}_features"
                given[name] = batch[name] + delta.detach()
        return self.goal.right(attackable(**given).logits, batch)


def word_width(model: Model) -> int:
    """D; 0 of a model without text."""
    has_text = "text" in model.config.modalities
    return int(model.get_input_embeddings().embedding_dim) if has_text else 0


@dataclass(frozen=True)
class Setting:
    """How an attack runs: the precision of its gradients, and the seed of its random starts."""

    precision: Precision
    seed: int


def _share(right: list[Tensor]) -> float:
    return float(torch.cat(right).float().mean()) if right else 0.0


def agreement(first: Predicted, second: Predicted, task: Task) -> float:
    """Share of rows that two formats answer alike."""
    answers = (task.spelt(one.outputs, one.data)[1] for one in (first, second))
    same = [a == b for a, b in zip(*answers, strict=True)]
    return float(np.mean(same)) if same else 0.0
