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
from fuseline.errors import ConfigError
from fuseline.evaluation.ablation import named
from fuseline.evaluation.clean import clean_figures
from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.robustness.measure import measure_robustness
from fuseline.evaluation.robustness.pixels import measure_pixel_robustness
from fuseline.evaluation.robustness.target import goal_of
from fuseline.evaluation.tables import write_plots, write_predictions
from fuseline.evaluation.trust.measure import Judged, measure_trust
from fuseline.evaluation.trust.slices import read_slice_columns
from fuseline.evaluation.twins.classification import Block, feature_blocks, twin_metrics
from fuseline.evaluation.twins.tasks import task_twins
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.model.passes import Model
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.base import Decoded
from fuseline.learning.tasks.labelled import Examples, build_tasks, no_labelled_rows, with_labels
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
    parts = Parts(work)
    model = FuselineForTasks.from_pretrained(inputs.model).eval()
    tasks = build_tasks(model.config.tasks)
    data, examples = _labelled_rows(inputs, model, base.modalities)
    first, whole_test = tasks[0], data.select("test")
    own = data.take(first.own_rows(data))
    test = own.select("test")
    if not len(test):
        raise no_labelled_rows(examples, "test", first.name)
    slices = read_slice_columns(inputs.examples, test.example_ids, params.trust.slices)
    found = predict(model, tasks, whole_test, params.batch_size)
    clean = found[0]
    written = _written(model, tasks, examples, found, params, base, parts)
    classified = first.kind == "classification"
    figures = parts.values(
        "scores", lambda: clean_figures(model, first, test, clean.outputs, params, base)
    )
    twins = parts.values("twins", lambda: _twins(inputs, first, own, params, base))
    attacked = Attacked(clean.right, clean.outputs if classified else None)
    robust = _robustness(
        model, first, test, clean.right, attacked, inputs.examples, params, base, parts
    )
    dev = _development(model, first, own, clean, params)
    trust = measure_trust(Judged(first, clean, dev, attacked), slices, params, base.seed)
    metrics = {
        "rows": len(test),
        "task": first.kind,
        "modalities": [str(name) for name in base.modalities if test.present(name).any()],
        **figures,
        **twins,
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
    """Names of the figures that runs are compared by: the scores and `COMPARED`.

    The error before calibration and the scores of further modalities are details: in the report and
    the summary, not columns of DVC's tables, which would outgrow a terminal.
    """
    numbers = [name for name, value in metrics.items() if isinstance(value, int | float)]
    return [name for name in [*numbers, *COMPARED] if name not in ("rows", "ece_raw")]


def _twins(
    inputs: EvaluationInputs,
    task: Task,
    data: MultimodalData,
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    """Figures of linear models of the same rows; none of a task that asks the modalities about one
    another."""
    if not task.target_kinds:
        return {}
    blocks, names = _blocks(inputs, data, params, base), named([*map(str, base.modalities)])
    if task.kind == "classification":
        return twin_metrics(data, blocks, names)
    return task_twins(task, data, blocks, names)


def _written(
    model: FuselineForTasks,
    tasks: list[Task],
    examples: Examples,
    found: list[Predicted],
    params: EvaluateParams,
    base: BaseParams,
    parts: Parts,
) -> list[Decoded | None]:
    """By task the texts that the model writes for its rows, None for one that has none."""

    def written(index: int) -> dict[str, Any] | None:
        cells = examples.cells(model.config.tasks[index]["target"], found[index].data)
        decoded = tasks[index].decode(model, index, cells, params, base.seed)
        return asdict(decoded) if decoded else None

    kept = [parts.values(f"texts-{index}", partial(written, index)) for index in range(len(tasks))]
    return [one and Decoded(**one) for one in kept]


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
    parts: Parts,
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
        parts=parts,
    )
    found["robustness"]["training_epsilon"] = model.config.training_attack.get("epsilon", {})
    pixels = params.robustness.image_pixel
    if pixels.max_rows and model.config.image_encoder and test.present("image").any():
        found["robustness"]["image_pixel"] = parts.values(
            "pixels",
            lambda: measure_pixel_robustness(
                model,
                goal,
                test,
                examples,
                pixels,
                seed=base.seed,
                precision=base.precision,
                audited=params.robustness,
            ),
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
