"""Everything that is measured of one model on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fuseline.data.dataset import MultimodalData
from fuseline.errors import ConfigError
from fuseline.evaluation.pieces import Evaluation, EvaluationInputs
from fuseline.evaluation.recommendation.evaluate import evaluate_recommendation
from fuseline.evaluation.scoring.tables import write_plots, write_predictions
from fuseline.evaluation.trust.measure import Judged, Trust, measure_trust
from fuseline.learning.model import FuselineConfig
from fuseline.learning.model.passes import Model
from fuseline.learning.tasks import TASKS, Task
from fuseline.learning.tasks.base import Decoded
from fuseline.learning.tasks.prediction import Predicted, predict
from fuseline.params.attack import SPACE_OF
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.pipeline.workers import Workers

# Scores beside the model's own that runs are compared by.
COMPARED = ("text_only", "image_only", "shuffled", "twin")


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

    What takes long goes piece by piece, as many at once as `base.num_threads` says, each on one
    thread. A finished piece is kept in `work`, so that a killed run goes on from there and ends
    with the same figures.

    Returns:
        Its metrics: fixed keys, finite numbers.

    Raises:
        ContractError: no labelled test row, or tables that are not of one run.
        ConfigError: the attack's spaces belong to no modality in use, or a column to slice the
            rows by is not there.
    """
    _check_spaces(params, base)
    tasks = FuselineConfig.from_pretrained(inputs.model).tasks
    if TASKS[tasks[0]["kind"]].rows_are_events:
        return evaluate_recommendation(name, inputs, predictions, plots, params=params, base=base)
    workers = Workers(Evaluation, (inputs, params, base, work), base.num_threads)
    run = workers.here
    pieces, audits = run.pieces(), run.audits()
    # The audits look at what came of the pieces, so that each of these is done before.
    done = chain(workers.each(pieces), workers.each(audits))
    for _ in tqdm(done, total=len(pieces) + len(audits), desc="evaluate", unit="piece"):
        pass
    robust = run.robustness()
    dev = _development(run.model, run.first, run.own, run.clean, params)
    judged = Judged(run.first, run.clean, dev, run.attacked)
    trust = measure_trust(judged, run.slices, params, base.seed)
    written = [run.written(index) for index in range(len(run.tasks))]
    _write_tables(run, name, predictions, written[0], trust)
    _write_plots(run, plots, robust, trust)
    return {
        "rows": len(run.test),
        "task": run.first.kind,
        "modalities": [str(name) for name in base.modalities if run.test.present(name).any()],
        **run.scores(),
        **run.twins(),
        **(written[0].scores if written[0] else {}),
        **_further(run.tasks[1:], run.found[1:], written[1:]),
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


def _write_tables(
    run: Evaluation, name: str, folder: Path, written: Decoded | None, trust: Trust
) -> None:
    outputs = run.clean.outputs
    spelt = run.first.spelt(outputs, run.test)
    if written:
        spelt = (written.references, written.texts)
    # As they stand here, the probabilities are those that `ece` is of.
    probabilities = run.first.probabilities(outputs / trust.temperature)
    write_predictions(folder, run.test, spelt, probabilities, name)


def _write_plots(run: Evaluation, folder: Path, robust: dict[str, Any], trust: Trust) -> None:
    classified = run.first.kind == "classification"
    write_plots(
        folder,
        run.first.spelt(run.clean.outputs, run.test) if classified else ([], []),
        robust.get("robustness", {}).get("curve", []),
        trust.bins,
        trust.risks,
    )


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
