"""Accuracy under an attack on the pictures themselves, through the frozen image encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import MultimodalData
from fuseline.data.modalities.image.stored_pictures import StoredPictures
from fuseline.evaluation.robustness.audit import Probe, audit_attack
from fuseline.evaluation.robustness.target import Goal, Spent, Target
from fuseline.learning.attacks import build_attack
from fuseline.learning.model import FuselineForTasks
from fuseline.params.attack import PIXEL_SPACE
from fuseline.params.evaluate import PixelRobustnessParams, RobustnessParams
from fuseline.pipeline.precision import Precision

# Each costs some two hundred passes through the image encoder.
AUDITED_ROWS = 4


def measure_pixel_robustness(
    model: FuselineForTasks,
    goal: Goal,
    data: MultimodalData,
    examples: Path,
    params: PixelRobustnessParams,
    *,
    seed: int,
    precision: Precision,
    audited: RobustnessParams | None = None,
) -> dict[str, Any]:
    """Attack the pixels of a sample of rows that have a picture; the rest of a row stays clean.

    One run of the attack, checked at its end in a plain float32 pass. Right and wrong are those
    of the features that the model's own encoder gives, which may round other than stored ones.

    Args:
        model: fine-tuned, with a frozen image encoder.
        goal: what the attack climbs, and what counts as right.
        data: N labelled rows.
        examples: the examples table, with their pictures.
        params: the attack and the size of the sample.
        seed: of the sample and the random start.
        precision: of the gradients.
        audited: scales and bounds of an audit of this attack, on `AUDITED_ROWS` of the rows at
            most; None for no audit.

    Returns:
        `rows`, `epsilon`, clean and robust accuracy, success among those right before, mean and
        max norm of the deltas, and the mean L2 length, per position, by which features moved.

    Raises:
        ContractError: a picture that cannot be decoded, or the audit found against the attack and
            its gate is to fail.
    """
    model.eval().requires_grad_(False)
    with_picture = np.flatnonzero(data.present("image"))
    drawn = np.random.default_rng(seed).permutation(with_picture)[: params.max_rows]
    run = _PixelRun(model, goal, params, precision, torch.Generator().manual_seed(seed))
    rows = np.sort(drawn)
    attacked = data.take(rows)
    attacked = replace(attacked, pixels=_pictures(model, examples, attacked.example_ids))
    for start in range(0, len(rows), params.batch_size):
        run.attack(attacked.batch(range(start, min(start + params.batch_size, len(rows)))))
    if audited is None:
        return run.figures()
    probe = Probe(model, goal, attacked, params.batch_size, precision, seed)
    return run.figures() | {"audit": _audit(probe, run, params, audited)}


def _audit(
    probe: Probe, run: _PixelRun, params: PixelRobustnessParams, audited: RobustnessParams
) -> dict[str, Any]:
    """The checks of the attack on features, of this one."""
    right, standing = _joined(run.right).bool().numpy(), _joined(run.standing).bool().numpy()
    rows = np.flatnonzero(right)[:AUDITED_ROWS]
    movable, under_fgm = np.zeros(len(right), dtype=bool), np.zeros(len(right), dtype=bool)
    movable[rows] = True
    # The two kinds of params differ in their spaces alone.
    attack: Any = params.attack
    under_fgm[rows], without_gradient = probe.fast_gradient(attack, rows)
    own = audited.model_copy(update={"attack": attack})
    return audit_attack(probe, standing, under_fgm, movable, own, without_gradient)


def _pictures(model: FuselineForTasks, examples: Path, example_ids: list[str]) -> StoredPictures:
    return StoredPictures(examples, example_ids, model.config.image_encoder["image_size"])


class _PixelRun:
    """The attack, batch after batch, and what it adds up to."""

    def __init__(
        self,
        model: FuselineForTasks,
        goal: Goal,
        params: PixelRobustnessParams,
        precision: Precision,
        generator: torch.Generator,
    ) -> None:
        self.model, self.goal = model, goal
        self.params, self.precision, self.generator = params, precision, generator
        self.spent = Spent()
        self.right: list[Tensor] = []
        self.standing: list[Tensor] = []
        self.lengths: list[Tensor] = []
        self.shifts: list[Tensor] = []

    def attack(self, batch: dict[str, Tensor]) -> None:
        """Attack one batch."""
        attack = build_attack(self.params.attack)
        spaces = [PIXEL_SPACE]
        target = Target(self.model, batch, self.goal, spaces, self.precision, self.spent)
        right = ~target.fallen(target.start)
        deltas = target.climb(attack, self.goal.losses[0], 1.0, self.generator)
        self.right.append(right)
        self.standing.append(right & ~target.fallen(deltas))
        for space, delta in deltas.items():
            lengths, moves = attack.lengths(delta, target.masks[space])
            self.lengths.append(lengths[moves])
            shift = target.shift(deltas)
            self.shifts.append(shift[~shift.isnan()])

    def figures(self) -> dict[str, Any]:
        """See `measure_pixel_robustness`."""
        right, standing = _joined(self.right).bool(), _joined(self.standing).bool()
        lengths, shifts = _joined(self.lengths), _joined(self.shifts)
        return {
            "rows": len(right),
            "epsilon": dict(self.params.attack.epsilon),
            "accuracy": _mean(right),
            "robust_accuracy": _mean(standing),
            "attack_success_rate": _mean(~standing[right]),
            "mean_delta_norm": _mean(lengths),
            "max_delta_norm": float(lengths.max()) if len(lengths) else 0.0,
            "mean_feature_shift": _mean(shifts),
            "forward_passes": self.spent.forward,
            "backward_passes": self.spent.backward,
        }


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat([torch.zeros(0), *parts])


def _mean(values: Tensor) -> float:
    return float(values.float().mean()) if len(values) else 0.0
