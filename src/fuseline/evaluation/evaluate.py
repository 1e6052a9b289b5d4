"""Everything that is measured of one model on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.contracts import read_manifest
from fuseline.data.dataset import MultimodalData, load_data
from fuseline.data.modalities.image.networks import missing_layers, whole_features
from fuseline.data.modalities.text.encoder import embed_texts
from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.ablation import named
from fuseline.evaluation.clean import clean_figures
from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.robustness.measure import measure_robustness
from fuseline.evaluation.robustness.pixels import measure_pixel_robustness
from fuseline.evaluation.robustness.target import Goal, goal_of
from fuseline.evaluation.tables import write_plots, write_predictions
from fuseline.evaluation.trust.measure import Judged, measure_trust
from fuseline.evaluation.trust.slices import read_slice_columns
from fuseline.evaluation.twins.classification import Block, feature_blocks, twin_metrics
from fuseline.evaluation.twins.tasks import task_twins
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.base import Decoded
from fuseline.learning.tasks.labelled import Examples, build_tasks, with_labels
from fuseline.learning.tasks.prediction import Predicted, predict
from fuseline.params.attack import SPACE_OF
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.pipeline.parts import Parts
from fuseline.pipeline.precision import make_deterministic

# Scores beside the model's own that runs are compared by.
COMPARED = ("text_only", "image_only", "shuffled", "twin")


@dataclass(frozen=True)
class EvaluationInputs:
    """What an evaluation reads.

    Attributes:
        model: folder of a fine-tuned model.
        examples, tokens: the tables of those names.
        tokenizer: names the frozen text encoder of the twin.
        features: folder with one features table per modality.
    """

    model: Path
    examples: Path
    tokens: Path
    tokenizer: Path
    features: Path


def evaluate_model(
    name: str,
    inputs: EvaluationInputs,
    predictions: Path,
    plots: Path,
    *,
    params: EvaluateParams,
    base: BaseParams,
    work: Path,
) -> dict[str, Any]:
    """Evaluate a model; write its predictions table and its plots' data.

    What takes long is kept in `work` as it is finished, so that a killed run goes on from there and
    ends with the same figures: written texts, scores, twins, each scale of the attack, its audit,
    the attack on pixels.

    Returns:
        Its metrics: fixed keys, finite numbers.

    Raises:
        ContractError: no labelled test row, or tables that are not of one run.
        ConfigError: the attack's spaces belong to no modality in use, or a column to slice the
            rows by is not there.
    """
    _check_spaces(params, base)
    make_deterministic(base.seed, base.num_threads)
    run = _Evaluation(inputs, params, base, Parts(work))
    test = run.test
    slices = read_slice_columns(inputs.examples, test.example_ids, params.trust.slices)
    found = predict(run.model, run.tasks, run.data.select("test"), params.batch_size)
    clean, written = found[0], run.written(found)
    figures = run.figures(clean.outputs) | run.twins()
    attacked = Attacked(clean.right, clean.outputs if run.is_classification else None)
    robust = run.robustness(clean.right, attacked)
    judged = Judged(run.first, clean, run.development(clean), attacked)
    trust = measure_trust(judged, slices, params, base.seed)
    spelt = run.first.spelt(clean.outputs, test)
    if written[0]:
        spelt = (written[0].references, written[0].texts)
    # As they stand here, the probabilities are those that `ece` is of.
    probabilities = run.first.probabilities(clean.outputs / trust.temperature)
    write_predictions(predictions, test, spelt, probabilities, name)
    write_plots(
        plots,
        spelt if run.is_classification else ([], []),
        robust.get("robustness", {}).get("curve", []),
        trust.bins,
        trust.risks,
    )
    return {
        "rows": len(test),
        "task": run.first.kind,
        "modalities": [str(name) for name in base.modalities if test.present(name).any()],
        **figures,
        **(written[0].scores if written[0] else {}),
        **_further(run.tasks[1:], found[1:], written[1:]),
        **robust,
        **trust.figures,
    }


def headline(metrics: Mapping[str, Any]) -> list[str]:
    """Names of the figures that runs are compared by: the scores and `COMPARED`.

    The error before calibration and the scores of further modalities are details: in the report and
    the summary, not columns of DVC's tables, which would outgrow a terminal.
    """
    numbers = [name for name, value in metrics.items() if isinstance(value, int | float)]
    return [name for name in [*numbers, *COMPARED] if name not in ("rows", "ece_raw")]


class _Evaluation:
    """A model, its labelled rows, and what is measured of them; each measure is a part of the run
    of its own.

    Attributes:
        tasks: the model's, `first` the one that is evaluated throughout.
        data: rows that have a label of any task.
        own: those of the first one, `test` the ones in the test split.

    Raises:
        ContractError: no such row in the test split.
    """

    def __init__(
        self, inputs: EvaluationInputs, params: EvaluateParams, base: BaseParams, parts: Parts
    ) -> None:
        self.inputs, self.params, self.base, self.parts = inputs, params, base, parts
        self.model = FuselineForTasks.from_pretrained(inputs.model).eval()
        self.tasks = build_tasks(self.model.config.tasks)
        self.first = self.tasks[0]
        self.data, self.examples = _labelled_rows(inputs, self.model, base.modalities)
        self.own = self.data.take(self.first.own_rows(self.data))
        self.test = self.own.select("test")
        if not len(self.test):
            raise ContractError(
                f"{inputs.examples}: the test split has no labelled rows for the task"
                f" '{self.first.name}'. Raise `ingest.split.test` or add rows."
            )

    @property
    def is_classification(self) -> bool:
        return self.first.kind == "classification"

    def figures(self, outputs: np.ndarray) -> dict[str, Any]:
        """Scores of the first task's outputs (N, ...), and of the model with parts gone."""

        def figures() -> dict[str, Any]:
            return clean_figures(self.model, self.first, self.test, outputs, self.params, self.base)

        return dict(self.parts.values("scores", figures))

    def twins(self) -> dict[str, Any]:
        """Figures of linear models of the same rows; none of a task that asks the modalities about
        one another."""

        def twins() -> dict[str, Any]:
            if not self.first.target_kinds:
                return {}
            blocks = _blocks(self.inputs, self.own, self.params, self.base)
            names = named([*map(str, self.base.modalities)])
            if self.is_classification:
                return twin_metrics(self.own, blocks, names)
            return task_twins(self.first, self.own, blocks, names)

        return dict(self.parts.values("twins", twins))

    def written(self, found: list[Predicted]) -> list[Decoded | None]:
        """By task the texts that the model writes for its rows, None for one that has none."""

        def written(index: int) -> dict[str, Any] | None:
            target = self.model.config.tasks[index]["target"]
            cells = self.examples.cells(target, found[index].data)
            task, seed = self.tasks[index], self.base.seed
            decoded = task.decode(self.model, index, cells, self.params, seed)
            return asdict(decoded) if decoded else None

        places = range(len(self.tasks))
        kept = [self.parts.values(f"texts-{place}", partial(written, place)) for place in places]
        return [one and Decoded(**one) for one in kept]

    def robustness(self, right: np.ndarray, attacked: Attacked) -> dict[str, Any]:
        """What stands under attack; nothing for a task whose losses are not a row's own, as rows
        that fall leave their batch.

        Args:
            right: (N,) bool, which test rows are right without an attack.
            attacked: is told what becomes of each.
        """
        if not self.first.rows_stand_alone:
            return {}
        goal = goal_of(self.first)
        found = measure_robustness(
            self.model,
            goal,
            self.test,
            right,
            self.params.robustness,
            attacked=attacked,
            batch_size=self.params.batch_size,
            seed=self.base.seed,
            precision=self.base.precision,
            parts=self.parts,
        )
        training = self.model.config.training_attack
        found["robustness"]["training_epsilon"] = training.get("epsilon", {})
        pixels = self.params.robustness.image_pixel
        held = self.model.config.image_encoder and self.test.present("image").any()
        if pixels.max_rows and held:
            found["robustness"]["image_pixel"] = self.parts.values(
                "pixels", lambda: self._pixels(goal)
            )
        return found

    def _pixels(self, goal: Goal) -> dict[str, Any]:
        return measure_pixel_robustness(
            self.model,
            goal,
            self.test,
            self.inputs.examples,
            self.params.robustness.image_pixel,
            seed=self.base.seed,
            precision=self.base.precision,
            audited=self.params.robustness,
        )

    def development(self, test: Predicted) -> Predicted:
        """The development rows; none where nothing is to be fitted on them, or there are none."""
        dev = self.own.select("dev")
        if self.is_classification and len(dev):
            return predict(self.model, [self.first], dev, self.params.batch_size)[0]
        return Predicted(dev.take(np.arange(0)), test.outputs[:0], test.losses[:0], test.right[:0])


def _further(
    tasks: list[Task],
    found: list[Predicted],
    written: list[Decoded | None],
) -> dict[str, dict[str, dict[str, float]]]:
    """Scores of the tasks beside the first, by name; nothing where there is none."""
    by_name = {
        task.name: {"rows": float(len(one.data))}
        | task.scores(one.outputs, one.data)
        | (texts.scores if texts else {})
        for task, one, texts in zip(tasks, found, written, strict=True)
    }
    return {"further_tasks": by_name} if by_name else {}


def _check_spaces(params: EvaluateParams, base: BaseParams) -> None:
    spaces = list(params.robustness.attack.epsilon)
    if not {SPACE_OF[name] for name in base.modalities} & set(spaces):
        raise ConfigError(
            f"evaluate.robustness.attack.epsilon: none of its spaces ({', '.join(spaces)}) belongs"
            f" to a modality of base.modalities ({', '.join(base.modalities)}). Name one that does."
        )


def _labelled_rows(
    inputs: EvaluationInputs, model: FuselineForTasks, modalities: list[Any]
) -> tuple[MultimodalData, Examples]:
    tokenizer = FuselineProcessor.from_pretrained(inputs.model).tokenizer
    data = load_data(
        inputs.tokens, inputs.features, modalities, pad_token_id=model.config.special_tokens["pad"]
    )
    examples = Examples(inputs.examples, data, tokenizer)
    return with_labels(data, examples, model.config.tasks), examples


def _blocks(
    inputs: EvaluationInputs, data: MultimodalData, params: EvaluateParams, base: BaseParams
) -> dict[str, Block]:
    """What the twins see."""
    vectors: np.ndarray | None = None
    if "text" in base.modalities:
        vectors = embed_texts(inputs.tokenizer, data.input_ids, params.batch_size, base.precision)
    features = dict(data.features)
    if "image" in features:
        top = missing_layers(read_manifest(inputs.features / "image", "features"))
        features["image"] = whole_features(
            top, features["image"], data.feature_mask["image"], base.precision
        )
    return feature_blocks(replace(data, features=features), vectors)
