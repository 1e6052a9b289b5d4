"""Linear probes of frozen features: fitted before a model is trained, blended with it afterwards.

Shapes: N rows, D columns, K outputs of a task.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor

from fuseline.data.dataset import MultimodalData
from fuseline.learning.model.heads import ALL, PooledHead
from fuseline.learning.model.modeling import model_inputs
from fuseline.learning.model.output import FuselineOutput
from fuseline.learning.model.passes import length_batches
from fuseline.learning.model.probes import BlendedProbe
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.linear import STRENGTHS, Fit, logistic, one_for_each, ridge

BATCH = 256
FOLDS = 3
# Share of the mean deviation below which a column says nothing: standardised, it would be rounding
# errors a thousand times enlarged, other ones in another runtime.
FLAT = 0.01
# Of a fit: what follows rounds it away.
TOLERANCE = 1e-3
# How strongly, in losses of development rows, the shares are drawn to each other and to a half.
PULL_TOGETHER, PULL_TO_HALF = 1.0, 0.1
# Of a share. Development rows that are all told apart would make it as large as it may be, and the
# logits with it; how sure a model is, a temperature says.
LEAST, MOST = 0.05, 2.0
# A place in the range as log-odds, its ends not being infinite.
EDGE = 0.05


def fit_probes(model: Any, tasks: Sequence[Task], data: MultimodalData, seed: int) -> None:
    """Fit the probes of a model's heads, if it has any, to the vectors that it gives now; they have
    no share yet.

    Args:
        model: a task model that is not trained yet.
        tasks: its tasks.
        data: training rows.
        seed: of the folds.
    """
    heads = _probed(model, tasks)
    if not heads:
        return
    seen = _seen(model, data)
    for task, head in heads:
        own = task.has_label(data.labels_of(task.key))
        for name, probe in head.probes_by_name.items():
            rows = own if name == ALL else own & seen.present[name]
            _fit(probe, task, data, seen, rows, seed)


def blend_probes(model: Any, tasks: Sequence[Task], data: MultimodalData) -> float:
    """Give what was trained and the probes their shares, by the loss of development rows.

    Both shares are positive, and their logarithms are drawn to each other and to that of a half, by
    about as much as one row could say: few rows then change little.

    Args:
        model: a trained task model.
        tasks: its tasks.
        data: development rows.

    Returns:
        The probe's share of the sum of both, for the first head that has one; 0 without.
    """
    heads = _probed(model, tasks)
    for task, head in heads:
        own = data.take(task.own_rows(data))
        if len(own):
            _blend(model, task, head, own)
    if not heads:
        return 0.0
    probe = heads[0][1].probes_by_name[ALL]
    return float(probe.probe_share / (probe.probe_share + probe.trained_share))


def _probed(model: Any, tasks: Sequence[Task]) -> list[tuple[Task, PooledHead]]:
    """The heads that have probes, each with its task."""
    pairs = zip(tasks, model.heads, strict=True)
    return [(t, head) for t, head in pairs if isinstance(head, PooledHead) and head.probes]


@dataclass(frozen=True)
class _Seen:
    """What the encoders give of N rows: (N, D) `vectors` and (N,) bool `present` by modality."""

    vectors: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


def _outputs(model: Any, data: MultimodalData) -> Iterator[tuple[np.ndarray, FuselineOutput]]:
    """Numbers of rows, and what the backbone gives of them without dropout."""
    was_training = model.training
    model.eval()
    for rows in length_batches(data, np.arange(len(data)), BATCH):
        with torch.inference_mode():
            yield rows, model.fuseline(**model_inputs(data.batch(rows)))
    model.train(was_training)


def _in_order(places: list[np.ndarray], parts: list[Tensor]) -> np.ndarray:
    order = np.argsort(np.concatenate(places))
    return np.asarray(torch.cat(parts).float().numpy()[order])


def _seen(model: Any, data: MultimodalData) -> _Seen:
    found = [(rows, given.vectors, given.present) for rows, given in _outputs(model, data)]
    places = [rows for rows, _, _ in found]
    return _Seen(
        {name: _in_order(places, [v[name] for _, v, _ in found]) for name in found[0][1]},
        {name: _in_order(places, [p[name] for _, _, p in found]) > 0 for name in found[0][2]},
    )


def _fit(
    probe: BlendedProbe, task: Task, data: MultimodalData, seen: _Seen, rows: np.ndarray, seed: int
) -> None:
    """Fit a probe to the rows (N,) bool; it stays as it is where they hold too little."""
    if rows.sum() < 2 * FOLDS or not _differ(task, data.labels_of(task.key)[rows]):
        return
    means, deviations, columns = {}, {}, []
    for name in probe.names:
        values, present = seen.vectors[name][rows], seen.present[name][rows]
        fitted = values[present] if present.any() else values
        means[name], deviation = fitted.mean(0), fitted.std(0)
        varies = deviation > FLAT * deviation.mean()
        deviations[name] = np.where(varies, deviation, np.inf)
        scaled = (values - means[name]) / deviations[name]
        columns.append(np.where(present[:, None], scaled, 0.0))
    inputs, own, fit = np.hstack(columns), data.take(np.flatnonzero(rows)), _fit_of(task)
    found = fit(inputs, own.labels_of(task.key), _strength(fit, inputs, task, own, seed))
    ends = np.cumsum([len(means[name]) for name in probe.names])
    parts = dict(zip(probe.names, np.split(found.weights, ends[:-1], axis=1), strict=True))
    probe.set(means, {name: part / deviations[name] for name, part in parts.items()}, found.bias)


def _differ(task: Task, labels: np.ndarray) -> bool:
    return task.kind == "multilabel" or len(np.unique(labels)) > 1


def _fit_of(task: Task) -> Fit:
    """What gives a task's logits. Classes weigh alike, so that rare ones are learnt too."""
    if task.kind == "classification":
        size = len(task.label_names)
        return partial(logistic, size=size, balanced=True, tolerance=TOLERANCE)
    if task.kind == "multilabel":
        return one_for_each
    if task.kind == "regression":
        mean, deviation = task.facts["mean"], task.facts["deviation"]
        return lambda inputs, labels, c: ridge(inputs, (labels - mean) / deviation, c)
    return lambda inputs, labels, c: ridge(inputs, _log_odds(labels), c)


def _log_odds(places: np.ndarray) -> np.ndarray:
    kept = np.clip(places, EDGE, 1 - EDGE)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _strength(fit: Fit, inputs: np.ndarray, task: Task, data: MultimodalData, seed: int) -> float:
    """The inverse strength with the least loss of rows that were left out, groups kept whole; the
    strongest penalty where rows cannot be parted."""
    labels = data.labels_of(task.key)
    folds = _folds(task, labels, data.groups, seed)
    if not folds:
        return STRENGTHS[0]

    def loss(strength: float) -> float:
        logits = np.zeros((len(inputs), task.head["size"]))
        for fitted, left_out in folds:
            model = fit(inputs[fitted], labels[fitted], strength)
            logits[left_out] = model(inputs[left_out])
        return _loss(task, logits, labels)

    return min(STRENGTHS, key=loss)


def _loss(task: Task, logits: np.ndarray, labels: np.ndarray) -> float:
    """The sum over rows (N, K)."""
    batch = {task.key: torch.from_numpy(labels)}
    return float(task.losses(torch.from_numpy(logits).float(), batch).sum())


def _folds(
    task: Task, labels: np.ndarray, groups: np.ndarray, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    if len(np.unique(groups)) < FOLDS:
        return []
    classes = labels if task.kind == "classification" else np.zeros(len(labels), dtype=int)
    parted = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with np.errstate(all="ignore"):
        folds = list(parted.split(np.zeros((len(labels), 1)), classes, groups))
    return folds if all(_differ(task, labels[fitted]) for fitted, _ in folds) else []


def _blend(model: Any, task: Task, head: PooledHead, data: MultimodalData) -> None:
    places, found = [], []
    for rows, given in _outputs(model, data):
        places.append(rows)
        found.append(_pairs(head, given))
    for name, probe in head.probes_by_name.items():
        trained, linear, concerned = (
            _in_order(places, [part[name][which] for part in found]) for which in range(3)
        )
        rows = np.flatnonzero(concerned)
        if len(rows):
            _set_shares(probe, task, data.take(rows), trained[rows], linear[rows])


def _pairs(head: PooledHead, given: FuselineOutput) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """By probe what is trained and what it says, (B, K) each, and (B,) bool, the rows that it is
    for: that of all modalities for rows with several, where there are others for one."""
    count = torch.stack(list(given.present.values())).sum(0)
    concerned = {ALL: count > (1 if len(head.probes) > 1 else 0), **given.present}
    trained = head.trained(given)
    return {
        name: (trained[name], probe.linear(given.vectors, given.present), concerned[name])
        for name, probe in head.probes_by_name.items()
    }


def _set_shares(
    probe: BlendedProbe, task: Task, data: MultimodalData, trained: np.ndarray, linear: np.ndarray
) -> None:
    if not linear.any():
        return
    labels = data.labels_of(task.key)

    def loss(logs: np.ndarray) -> float:
        shares = np.exp(logs)
        to_half = float(np.sum((logs - np.log(0.5)) ** 2))
        apart = float((logs[0] - logs[1]) ** 2)
        fit = _loss(task, shares[0] * trained + shares[1] * linear, labels)
        return fit + PULL_TOGETHER * apart + PULL_TO_HALF * to_half

    bounds = [(np.log(LEAST), np.log(MOST))] * 2
    found = minimize(loss, np.log([0.5, 0.5]), method="Nelder-Mead", bounds=bounds).x
    probe.trained_share.fill_(float(np.exp(found[0])))
    probe.probe_share.fill_(float(np.exp(found[1])))
