"""Deltas found on one model, tried on another (Papernot et al. 2016, arXiv 1605.07277)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import torch

from fuseline.evaluation.robustness.target import Spent, Target, goal_of
from fuseline.evaluation.stress.base import Context
from fuseline.learning.attacks import Deltas, build_attack
from fuseline.learning.model.passes import Model, length_batches


def transfer_suite(context: Context) -> dict[str, Any]:
    """For each ordered pair of models, as `<source>_to_<other>`, how many rows fall.

    The attack climbs on the source's loss once, without restarts; its deltas are then added to
    the clean input of both. A delta of `text_embedding` was made for the source's word embeddings
    and is added to the other model's own.

    Returns:
        `rows`; `fallen_at_source` and `fallen_at_other`, each the share of the rows that the model
        gets right without an attack. Nothing for a task whose losses are not a row's own.
    """
    if not context.task.rows_stand_alone:
        return {}
    for model in context.models.values():
        model.requires_grad_(False)
    return {
        f"{source}_to_{other}": _direction(context, source, other)
        for source, other in permutations(context.models, 2)
    }


def _direction(context: Context, source: str, other: str) -> dict[str, Any]:
    fallen = {name: np.zeros(len(context.test), dtype=bool) for name in (source, other)}
    attack = build_attack(context.params.transfer.attack)
    goal = goal_of(context.task)
    generator = torch.Generator().manual_seed(context.seed)
    rows = np.arange(len(context.test))
    for part in length_batches(context.test, rows, context.params.batch_size):
        target = _target(context, context.models[source], part)
        deltas = target.climb(attack, goal.losses[0], 1.0, generator)
        for name in (source, other):
            fallen[name][part] = _fallen(context, name, part, deltas)
    return {
        "rows": len(rows),
        "fallen_at_source": _share_of_right(context, source, fallen[source]),
        "fallen_at_other": _share_of_right(context, other, fallen[other]),
    }


def _fallen(context: Context, name: str, rows: np.ndarray, deltas: Deltas) -> np.ndarray:
    return np.asarray(_target(context, context.models[name], rows).fallen(deltas).numpy())


def _target(context: Context, model: Model, rows: np.ndarray) -> Target:
    spaces = context.params.transfer.attack.epsilon
    batch, goal = context.test.batch(rows), goal_of(context.task)
    return Target(model, batch, goal, spaces, context.base.precision, Spent())


def _share_of_right(context: Context, name: str, fallen: np.ndarray) -> float:
    right = context.clean[name].right
    return float((right & fallen).sum() / max(int(right.sum()), 1))
