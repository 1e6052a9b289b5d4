"""Everything that is measured of one model on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.contracts import read_manifest
from fuseline.data.dataset import MultimodalData, load_data
from fuseline.data.modalities.image.encoder import missing_layers, whole_features
from fuseline.data.modalities.text.encoder import embed_texts
from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.ablation import modality_ablation, named, presence_scores
from fuseline.evaluation.robustness.measure import measure_robustness
from fuseline.evaluation.robustness.pixels import measure_pixel_robustness
from fuseline.evaluation.robustness.target import goal_of
from fuseline.evaluation.tables import write_plots, write_predictions
from fuseline.evaluation.trust.attacked import Attacked
from fuseline.evaluation.trust.measure import Judged, measure_trust
from fuseline.evaluation.trust.slices import read_slice_columns
from fuseline.evaluation.twins.classification import Block, feature_blocks, twin_metrics
from fuseline.evaluation.twins.tasks import task_twins
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.model.prediction import Model
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.base import Decoded
from fuseline.learning.tasks.labelled import Examples, build_tasks, with_labels
from fuseline.learning.tasks.prediction import Predicted, predict
from fuseline.learning.tasks.scores import classification_metrics, scores
from fuseline.params.attack import SPACE_OF
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.pipeline.precision import make_deterministic

# Scores beside the model's own that runs are compared by, and those of the modalities there.
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
) -> dict[str, Any]:
    """Evaluate a model; write its predictions table and its plots' data.

    Returns:
        Its metrics: fixed keys, finite numbers.

    Raises:
        ContractError: no labelled test row, or tables that are not of one run.
        ConfigError: the attack's spaces belong to no modality in use, or a column to slice the
            rows by is not there.
    """
    _check_spaces(params, base)
    make_deterministic(base.seed, base.num_threads)
    model = FuselineForTasks.from_pretrained(inputs.model).eval()
    tasks = build_tasks(model.config.tasks)
    data, examples = _labelled_rows(inputs, model, base.modalities)
    first, whole_test = tasks[0], data.select("test")
    own = data.take(first.own_rows(data))
    test = own.select("test")
    if not len(test):
        raise ContractError(
            f"{inputs.examples}: the test split has no labelled rows for the task"
            f" '{first.name}'. Raise `ingest.split.test` or add rows."
        )
    slices = read_slice_columns(inputs.examples, test.example_ids, params.trust.slices)
    found = predict(model, tasks, whole_test, params.batch_size)
    clean = found[0]
    written = _written(model, tasks, examples, found, params, base)
    blocks = _blocks(inputs, own, params, base)
    classified = first.kind == "classification"
    measure = _classified if classified else _scored
    figures = measure(model, first, own, clean.outputs, blocks, params, base)
    attacked = Attacked(clean.right, clean.outputs if classified else None)
    robust = _robustness(model, first, test, clean.right, attacked, inputs.examples, params, base)
    dev = _development(model, first, own, clean, params)
    trust = measure_trust(Judged(first, clean, dev, attacked), slices, params, base.seed)
    metrics = {
        "rows": len(test),
        "task": first.kind,
        "modalities": [str(name) for name in base.modalities if test.present(name).any()],
        **figures,
        **(written[0].scores if written[0] else {}),
        **_further(tasks[1:], found[1:], written[1:]),
        **robust,
        **trust.figures,
    }
    spelt = first.spelt(clean.outputs, test)
    if written[0]:
        spelt = (written[0].references, written[0].texts)
    # As they stand here, the probabilities are those that `ece` is of.
    probabilities = first.probabilities(clean.outputs / trust.temperature)
    write_predictions(predictions, test, spelt, probabilities, name)
    write_plots(
        plots,
        spelt if classified else ([], []),
        robust.get("robustness", {}).get("curve", []),
        trust.bins,
        trust.risks,
    )
    return metrics


def headline(metrics: Mapping[str, Any]) -> list[str]:
    """Names of the figures that runs are compared by: the scores, those of each modality alone, and
    `COMPARED`."""
    numbers = [name for name, value in metrics.items() if isinstance(value, int | float)]
    alone = [f"{name}_only" for name in metrics["modalities"]]
    return [name for name in [*numbers, *COMPARED, *alone] if name != "rows"]


def _classified(
    model: Model,
    task: Task,
    data: MultimodalData,
    logits: np.ndarray,
    blocks: dict[str, Block],
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    """All clean figures of a classification."""
    test, names = data.select("test"), [*map(str, base.modalities)]
    predicted = logits.argmax(-1)

    def score(changed: MultimodalData) -> dict[str, float]:
        found = predict(model, [task], changed, params.batch_size)[0].outputs.argmax(-1)
        return scores(changed.labels, found, len(task.label_names))

    return {
        **classification_metrics(test.labels, predicted, task.label_names),
        **modality_ablation(score, test, names, seed=base.seed),
        "presence": presence_scores(test, predicted, names),
        **twin_metrics(data, blocks, named(names)),
    }


def _scored(
    model: Model,
    task: Task,
    data: MultimodalData,
    outputs: np.ndarray,
    blocks: dict[str, Block],
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    """All clean figures of any other task."""
    test, names = data.select("test"), [*map(str, base.modalities)]
    if not task.target_kinds:
        # It asks the modalities about one another: alone, none has anything to answer.
        return task.scores(outputs, test)

    def score(changed: MultimodalData) -> dict[str, float]:
        return task.scores(predict(model, [task], changed, params.batch_size)[0].outputs, changed)

    return {
        **task.scores(outputs, test),
        **modality_ablation(score, test, names, seed=base.seed),
        **task_twins(task, data, blocks, named(names)),
    }


def _written(
    model: FuselineForTasks,
    tasks: list[Task],
    examples: Examples,
    found: list[Predicted],
    params: EvaluateParams,
    base: BaseParams,
) -> list[Decoded | None]:
    """By task the texts that the model writes for its rows, None for one that has none."""
    targets = [entry["target"] for entry in model.config.tasks]
    return [
        task.decode(model, index, examples.cells(target, one.data), params, base.seed)
        for index, (task, target, one) in enumerate(zip(tasks, targets, found, strict=True))
    ]


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


def _robustness(
    model: FuselineForTasks,
    task: Task,
    test: MultimodalData,
    right: np.ndarray,
    attacked: Attacked,
    examples: Path,
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    """Nothing for a task whose losses are not a row's own: rows that fall leave their batch."""
    if not task.rows_stand_alone:
        return {}
    goal = goal_of(task)
    found = measure_robustness(
        model,
        goal,
        test,
        right,
        params.robustness,
        attacked=attacked,
        batch_size=params.batch_size,
        seed=base.seed,
        precision=base.precision,
    )
    found["robustness"]["training_epsilon"] = model.config.training_attack.get("epsilon", {})
    pixels = params.robustness.image_pixel
    if pixels.max_rows and model.config.image_encoder and test.present("image").any():
        found["robustness"]["image_pixel"] = measure_pixel_robustness(
            model,
            goal,
            test,
            examples,
            pixels,
            seed=base.seed,
            precision=base.precision,
            audited=params.robustness,
        )
    return found


def _development(
    model: Model, task: Task, data: MultimodalData, test: Predicted, params: EvaluateParams
) -> Predicted:
    """The development rows; none where nothing is to be fitted on them, or there are none."""
    dev = data.select("dev")
    if task.kind != "classification" or not len(dev):
        return Predicted(dev.take(np.arange(0)), test.outputs[:0], test.losses[:0], test.right[:0])
    return predict(model, [task], dev, params.batch_size)[0]


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
