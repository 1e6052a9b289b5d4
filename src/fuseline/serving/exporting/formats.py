"""What each format of an export is worth: scores, agreement with the model, and what stands of
the inputs of an attack.

Shapes: N rows, B rows of a batch, T tokens, D width of the word vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import Batch, MultimodalData
from fuseline.evaluation.robustness.target import Goal, Spent, Target, goal_of
from fuseline.evaluation.scoring.ablation import keep
from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins
from fuseline.learning.attacks import Deltas, build_attack
from fuseline.learning.model.control_tokens import Asked
from fuseline.learning.model.output import TaskOutput
from fuseline.learning.model.passes import Model, length_batches
from fuseline.learning.objectives.perturbation import FEATURE_SUFFIX, TEXT_SPACE
from fuseline.learning.tasks.base import Cells, Task
from fuseline.learning.tasks.prediction import Predicted, predict
from fuseline.params.attack import AttackParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.pipeline.precision import Precision
from fuseline.serving.contract import VECTOR, ExportedTask, FeatureInput
from fuseline.serving.exporting.attacked import TEXT_DELTA
from fuseline.serving.exporting.texts import GraphDecoder
from fuseline.serving.sessions import Graph
from fuseline.serving.writing import TextWriter

# Rows of a batch, of a graph that is compared: one alone, some, many.
BATCHES = (1, 3, 32)
# Rows that are compared in small batches, and with modalities taken away.
COMPARED_ROWS = 48


class GraphModel:
    """A graph in the place of the model that it was made of.

    Args:
        graph: of the model.
        tasks: of it.
        features: modalities that come as features.
        writers: of the tasks that write texts, by their places.
    """

    def __init__(
        self,
        graph: Graph,
        tasks: Sequence[ExportedTask],
        features: Mapping[str, FeatureInput],
        writers: Mapping[int, TextWriter],
    ) -> None:
        self.graph = graph
        self.tasks = tasks
        self.features = features
        self.decoders = {
            place: GraphDecoder(tasks[place], writer, first=place == 0)
            for place, writer in writers.items()
        }

    def __call__(self, **batch: Tensor) -> TaskOutput:
        """Logits of its tasks, and of each modality alone."""
        found = self.outputs(batch)
        logits = [found[task.output] for task in self.tasks]
        for place, decoder in self.decoders.items():
            logits[place] = decoder.logits(found, batch)
        alone = [{k: found[v] for k, v in task.by_modality.items()} for task in self.tasks]
        return TaskOutput(logits, alone)

    def generate(
        self, batch: Batch, task: int, controls: Asked | None = None, **options: Any
    ) -> Tensor:
        """Texts of one task as `FuselineForTasks` gives them, but by the search that the contract
        names, whatever the options: nothing is drawn."""
        del options
        return self.decoders[task].generate(self.outputs(batch), controls or {})

    def outputs(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs of the graph by name."""
        given = {name: batch[name].numpy() for name in self.graph.inputs}
        for name, facts in self.features.items():
            # As the predictor does.
            if not given[f"{name}_mask"].any():
                given[f"{name}_features"] = given[f"{name}_features"][:, : facts.shortest]
        return {name: torch.from_numpy(value) for name, value in self.graph(given).items()}


def vectors(model: GraphModel, data: MultimodalData, batch_size: int) -> np.ndarray:
    """Fused vectors (N, W) float32 of N rows, one at least, in their order."""
    places = [*length_batches(data, np.arange(len(data)), batch_size)]
    parts = [model.outputs(data.batch(rows))[VECTOR].numpy() for rows in places]
    return np.asarray(np.concatenate(parts)[np.argsort(np.concatenate(places))])


@dataclass(frozen=True)
class Judge:
    """What formats are judged by.

    Attributes:
        model: in evaluation mode.
        tasks: of the model; the first is scored.
        cells: of the first task's target, of N test rows.
        temperature: of the first task's probabilities.
        params: section `evaluate`.
        seed: of draws.
    """

    model: Model
    tasks: list[Task]
    cells: Cells
    temperature: float
    params: EvaluateParams
    seed: int

    @property
    def test(self) -> MultimodalData:
        """The N rows."""
        return self.cells.data

    @cached_property
    def expected(self) -> Predicted:
        """What the model makes of them."""
        return self._predicted(self.model)

    def _predicted(self, model: Model) -> Predicted:
        return predict(model, self.tasks[:1], self.test, self.params.batch_size)[0]

    def figures(self, model: Model) -> tuple[dict[str, Any], list[str]]:
        """Scores of a format's first task, with `ece` of a classification and those of texts where
        it writes some; and the N answers as text, none where they are numbers."""
        first = self.tasks[0]
        found = self.expected if model is self.model else self._predicted(model)
        figures: dict[str, Any] = dict(first.scores(found.outputs, found.data))
        if first.kind == "classification":
            probabilities = first.probabilities(found.outputs / self.temperature)
            bins = reliability_bins(
                probabilities, found.data.labels, self.params.num_calibration_bins
            )
            figures["ece"] = expected_calibration_error(bins)
        written = first.decode(model, 0, self.cells, self.params, self.seed)
        if written:
            return figures | written.scores, written.texts
        return figures, first.spelt(found.outputs, found.data)[1] if first.label_names else []

    def largest_difference(self, graph: GraphModel) -> float:
        """Of any output, between the graph and the model: over all rows, in batches of several
        sizes, and of some rows with each subset of the modalities. Of texts their first tokens, and
        once, over all rows, every token."""
        every = self.model.config.modalities
        names = [name for name in every if self.test.present(name).any()]
        some = self.test.take(np.arange(min(len(self.test), COMPARED_ROWS)))
        trials = [(self.test, BATCHES[-1]), *((some, size) for size in BATCHES[:-1])]
        for count in range(len(names)):
            trials += [(keep(some, kept), BATCHES[-1]) for kept in combinations(names, count)]
        found = [self._difference(graph, data, size, without_labels) for data, size in trials]
        if graph.decoders:
            found.append(self._difference(graph, self.test, BATCHES[-1], dict))
        return max(found)

    def _difference(
        self,
        graph: GraphModel,
        data: MultimodalData,
        batch_size: int,
        given: Callable[[Batch], Batch],
    ) -> float:
        worst = 0.0
        for rows in length_batches(data, np.arange(len(data)), batch_size):
            batch = given(data.batch(rows))
            with torch.inference_mode():
                expected = self.model(**batch)
            found = graph(**batch)
            for task, logits in enumerate(found.by_task):
                pairs = [(logits, expected.by_task[task])]
                alone = expected.by_modality[task]
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


def agreement(first: Sequence[str], second: Sequence[str]) -> float:
    """Share of rows that two formats answer alike."""
    same = [a == b for a, b in zip(first, second, strict=True)]
    return float(np.mean(same)) if same else 0.0
