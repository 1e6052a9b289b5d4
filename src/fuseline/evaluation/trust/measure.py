"""All figures of trust of one model's first task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.trust.intervals import (
    Score,
    bootstrap,
    class_scores,
    costly_resamples,
    ece_score,
    robust_scores,
    task_scores,
    together,
)
from fuseline.evaluation.trust.selective import (
    at_threshold,
    choose_threshold,
    risk_coverage,
)
from fuseline.evaluation.trust.slices import Values, measure_slices
from fuseline.evaluation.trust.temperature import calibration, fit_temperature
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.prediction import Predicted
from fuseline.params.evaluate import EvaluateParams

# What a reliability bin or a point of the risk is of.
CLEAN, CALIBRATED, ATTACK = "clean", "calibrated", "attack"


@dataclass(frozen=True)
class Judged:
    """What is known of the first task's rows.

    Attributes:
        task: the task.
        test: the N test rows that have a label, with outputs and what is right.
        dev: the same of development rows, perhaps of none; read of a classification alone.
        attacked: the test rows under attack.
    """

    task: Task
    test: Predicted
    dev: Predicted
    attacked: Attacked


@dataclass(frozen=True)
class Trust:
    """Figures for the metrics, and rows for the plots: bins of confidence and points of the
    risk–coverage curve, each of a `condition`."""

    figures: dict[str, Any]
    bins: list[dict[str, Any]] = field(default_factory=list)
    risks: list[dict[str, Any]] = field(default_factory=list)


def measure_trust(
    judged: Judged, columns: dict[str, Values], params: EvaluateParams, seed: int
) -> Trust:
    """Intervals and slices of any task whose rows stand alone; calibration and selective
    prediction of a classification, whose probabilities say how sure it is.

    Args:
        judged: the rows.
        columns: to slice the test rows by.
        params: of the stage.
        seed: of the resamples.
    """
    if not judged.task.rows_stand_alone:
        # Its rows are one another's candidates: fewer of them, or twins, change the question.
        return Trust({})
    figures = {
        "intervals": _intervals(judged, params, seed),
        "slices": _slices(judged, columns, params, seed),
    }
    if judged.task.kind != "classification":
        return Trust(figures)
    calibrated, bins = _calibration(judged, params.num_calibration_bins)
    selective, risks = _selective(judged, params.trust.target_risk)
    return Trust({**figures, "calibration": calibrated, "selective": selective}, bins, risks)


def _intervals(judged: Judged, params: EvaluateParams, seed: int) -> dict[str, Any]:
    task, test, resamples = judged.task, judged.test, params.trust.num_resamples
    scores = [robust_scores(test.right, judged.attacked.standing)]
    found: dict[str, Any] = {}
    if task.kind == "classification":
        labels, num_bins = _labels(test), params.num_calibration_bins
        scores += [
            class_scores(labels, test.outputs.argmax(-1), len(task.label_names)),
            ece_score(task.probabilities(test.outputs), labels, num_bins),
        ]
    else:
        own = task_scores(task, test.outputs, test.data)
        few = costly_resamples(resamples, len(test.data))
        found = bootstrap(own, len(test.data), num_resamples=few, seed=seed)
    whole = together(*scores)
    return found | bootstrap(whole, len(test.data), num_resamples=resamples, seed=seed)


def _slices(
    judged: Judged, columns: dict[str, Values], params: EvaluateParams, seed: int
) -> dict[str, Any]:
    resamples = params.trust.num_resamples
    classified = judged.task.kind == "classification"
    return measure_slices(
        columns,
        (lambda rows: _class_slice(judged, rows))
        if classified
        else (lambda rows: _task_slice(judged, rows)),
        min_rows=params.trust.min_slice_rows,
        num_resamples=resamples
        if classified
        else costly_resamples(resamples, len(judged.test.data)),
        seed=seed,
    )


def _class_slice(judged: Judged, rows: np.ndarray) -> Score:
    labels, predicted = _labels(judged.test)[rows], judged.test.outputs[rows].argmax(-1)
    return class_scores(labels, predicted, len(judged.task.label_names))


def _task_slice(judged: Judged, rows: np.ndarray) -> Score:
    """The figure that picks the epoch, and the share of rows that count as right."""
    task, right = judged.task, judged.test.right[rows]
    own = task_scores(task, judged.test.outputs[rows], judged.test.data.take(rows))

    def score(some: np.ndarray) -> dict[str, float]:
        chosen = {task.selection_metric: own(some)[task.selection_metric]}
        return chosen | {"right": float(right[some].mean())}

    return score


def _calibration(judged: Judged, num_bins: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`temperature`, and `ece`, `nll` and `brier` by condition."""
    labels, logits = _labels(judged.test), judged.test.outputs
    temperature = fit_temperature(judged.dev.outputs, _labels(judged.dev))
    by_condition = {
        CLEAN: logits,
        CALIBRATED: logits / temperature,
        ATTACK: judged.attacked.known_logits,
    }
    figures: dict[str, Any] = {"temperature": temperature, "dev_rows": len(judged.dev.data)}
    bins = []
    for condition, found in by_condition.items():
        probabilities = judged.task.probabilities(found)
        figures[condition], own = calibration(found, probabilities, labels, num_bins)
        bins += [{"condition": condition, **one} for one in own]
    return figures, bins


def _selective(judged: Judged, target_risk: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """By the confidence of the probabilities as they are in the predictions table."""
    attacked = judged.attacked.known_logits
    by_condition = {
        CLEAN: (_confidence(judged, judged.test.outputs), judged.test.right),
        ATTACK: (_confidence(judged, attacked), attacked.argmax(-1) == _labels(judged.test)),
    }
    dev = _confidence(judged, judged.dev.outputs), judged.dev.right
    threshold = choose_threshold(*dev, target_risk)
    figures: dict[str, Any] = {
        "target_risk": target_risk,
        "threshold": threshold,
        "dev": at_threshold(*dev, threshold),
    }
    risks: list[dict[str, Any]] = []
    for condition, rows in by_condition.items():
        curve = risk_coverage(*rows)
        figures[condition] = {"aurc": curve.aurc, **at_threshold(*rows, threshold)}
        risks += [{"condition": condition, **point} for point in curve.points()]
    return figures, risks


def _confidence(judged: Judged, logits: np.ndarray) -> np.ndarray:
    """(N,) of logits (N, C)."""
    return np.asarray(judged.task.probabilities(logits).max(-1))


def _labels(found: Predicted) -> np.ndarray:
    """(N,) int64 of the first task."""
    return found.data.labels
