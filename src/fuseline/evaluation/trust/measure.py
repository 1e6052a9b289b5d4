"""All figures of trust of one model's first task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.trust.intervals import (
    Figures,
    bootstrap,
    costly_resamples,
    ece_score,
    macro_f1_score,
    task_scores,
)
from fuseline.evaluation.trust.selective import (
    at_threshold,
    choose_threshold,
    risk_coverage,
)
from fuseline.evaluation.trust.shares import share_interval
from fuseline.evaluation.trust.slices import Values, measure_slices
from fuseline.evaluation.trust.temperature import UNCHANGED, calibration, fit_temperature
from fuseline.evaluation.trust.thresholds import label_thresholds
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.prediction import Predicted
from fuseline.params.evaluate import EvaluateParams

# What a reliability bin or a point of the risk is of.
CLEAN, CALIBRATED, ATTACK = "clean", "calibrated", "attack"
# The figure that is the share of right rows, of tasks that have one.
SHARES_OF_RIGHT = {"classification": "accuracy", "multilabel": "subset_accuracy"}


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
    risk–coverage curve, each of a `condition`. `temperature` divides logits; 1 for a task without
    calibrated probabilities."""

    figures: dict[str, Any]
    temperature: float = UNCHANGED
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
    temperature = fit_temperature(judged.dev.outputs, _labels(judged.dev))
    calibrated, bins = _calibration(judged, temperature, params.num_calibration_bins)
    selective, risks = _selective(judged, temperature, params.trust.target_risk)
    errors = {"ece": calibrated[CALIBRATED]["ece"], "ece_raw": calibrated[CLEAN]["ece"]}
    figures["intervals"] |= _error_intervals(judged, temperature, params, seed)
    figures |= {
        **errors,
        "calibration": calibrated,
        "selective": selective,
        "thresholds": _thresholds(judged, temperature),
    }
    return Trust(figures, temperature, bins, risks)


def _intervals(judged: Judged, params: EvaluateParams, seed: int) -> dict[str, Any]:
    """Of the task's scores, and of what stands under attack."""
    test, standing = judged.test, judged.attacked.standing
    whole = _figures(judged, np.arange(len(test.data)))
    resamples = _resamples(judged, params.trust.num_resamples)
    fallen = int((test.right & ~standing).sum())
    return whole.intervals(num_resamples=resamples, seed=seed) | {
        "robust_accuracy": share_interval(int(standing.sum()), len(standing)),
        # Of no right row nothing can be said of success.
        "attack_success_rate": share_interval(fallen, int(test.right.sum())),
    }


def _error_intervals(
    judged: Judged, temperature: float, params: EvaluateParams, seed: int
) -> dict[str, Any]:
    """Of both calibration errors; the temperature stays as it was fitted."""
    test = judged.test
    found = {}
    for name, logits in (("ece", test.outputs / temperature), ("ece_raw", test.outputs)):
        score = ece_score(
            judged.task.probabilities(logits), _labels(test), params.num_calibration_bins
        )
        drawn = bootstrap(
            score, len(test.data), num_resamples=params.trust.num_resamples, seed=seed
        )
        found[name] = drawn["ece"]
    return found


def _slices(
    judged: Judged, columns: dict[str, Values], params: EvaluateParams, seed: int
) -> dict[str, Any]:
    return measure_slices(
        columns,
        lambda rows: _slice_figures(judged, rows),
        min_rows=params.trust.min_slice_rows,
        num_resamples=_resamples(judged, params.trust.num_resamples),
        seed=seed,
    )


def _resamples(judged: Judged, num_resamples: int) -> int:
    if judged.task.kind == "classification":
        return num_resamples
    return costly_resamples(num_resamples, len(judged.test.data))


def _figures(judged: Judged, rows: np.ndarray) -> Figures:
    """The task's own scores of some rows; of shares of them, how many are right."""
    task, right = judged.task, judged.test.right[rows]
    shares = {}
    if name := SHARES_OF_RIGHT.get(task.kind):
        shares[name] = (int(right.sum()), len(rows))
    outputs = judged.test.outputs[rows]
    if task.kind == "classification":
        labels = _labels(judged.test)[rows]
        score = macro_f1_score(labels, outputs.argmax(-1), len(task.label_names))
    else:
        score = task_scores(task, outputs, judged.test.data.take(rows))
    return Figures(len(rows), shares, score)


def _slice_figures(judged: Judged, rows: np.ndarray) -> Figures:
    """Of a classification all; else the figure that picks the epoch, and the share of rows that
    count as right."""
    figures = _figures(judged, rows)
    if judged.task.kind == "classification":
        return figures
    chosen = judged.task.selection_metric

    def score(some: np.ndarray) -> dict[str, float]:
        return {chosen: figures.score(some)[chosen]}

    right = int(judged.test.right[rows].sum())
    return Figures(len(rows), {"right": (right, len(rows))}, score)


def _calibration(
    judged: Judged, temperature: float, num_bins: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`temperature`, and `ece`, `nll` and `brier` by condition."""
    labels, logits = _labels(judged.test), judged.test.outputs
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


def _selective(
    judged: Judged, temperature: float, target_risk: float
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """By the confidence of the probabilities as they are in the predictions table: calibrated."""
    attacked = judged.attacked.known_logits

    def confidence(logits: np.ndarray) -> np.ndarray:
        return np.asarray(judged.task.probabilities(logits / temperature).max(-1))

    by_condition = {
        CLEAN: (confidence(judged.test.outputs), judged.test.right),
        ATTACK: (confidence(attacked), attacked.argmax(-1) == _labels(judged.test)),
    }
    dev = confidence(judged.dev.outputs), judged.dev.right
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


def _thresholds(judged: Judged, temperature: float) -> dict[str, Any]:
    """Of the calibrated probabilities."""
    dev, test = (
        (judged.task.probabilities(rows.outputs / temperature), _labels(rows))
        for rows in (judged.dev, judged.test)
    )
    return label_thresholds(dev, test, judged.task.label_names)


def _labels(found: Predicted) -> np.ndarray:
    """(N,) int64 of the first task."""
    return found.data.labels
