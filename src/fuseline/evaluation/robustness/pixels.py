"""Accuracy under an attack on the pictures themselves, through the frozen image encoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fuseline.data.dataset import MultimodalData
from fuseline.data.modalities.image.stored_pictures import StoredPictures
from fuseline.evaluation.robustness.audit import Probe, audit_attack
from fuseline.evaluation.robustness.target import Goal, Spent, Target
from fuseline.learning.attacks import build_attack
from fuseline.learning.model import FuselineForTasks
from fuseline.params.attack import PIXEL_SPACE
from fuseline.params.evaluate import PixelRobustnessParams, RobustnessParams
from fuseline.pipeline.parts import Parts
from fuseline.pipeline.precision import Precision

# Each costs some two hundred passes through the image encoder.
AUDITED_ROWS = 4
# Numbers of a piece that are no yes or no.
MEASURED = ("lengths", "shifts")


@dataclass
class PixelSiege:
    """An attack on the pixels of a sample of rows that have a picture, batch by batch; the rest of
    a row stays clean.

    One run of the attack, which a row leaves once it has fallen in a plain float32 pass. Right and
    wrong are those of the features that the model's own encoder gives, which may round other than
    stored ones.

    Attributes:
        model: fine-tuned, with a frozen image encoder.
        goal: what the attack climbs, and what counts as right.
        data: N labelled rows.
        examples: the examples table, with their pictures.
        params: the attack and the size of the sample.
        seed: of the sample and the random starts; each batch draws its own.
        precision: of the gradients.
        parts: of the run: each batch, and the audit.
        audited: scales and bounds of an audit of this attack, on `AUDITED_ROWS` of the rows at
            most; None for no audit.

    Raises:
        ContractError: a picture that cannot be decoded, or the audit found against the attack and
            its gate is to fail.
    """

    model: FuselineForTasks
    goal: Goal
    data: MultimodalData
    examples: Path
    params: PixelRobustnessParams
    seed: int
    precision: Precision
    parts: Parts
    audited: RobustnessParams | None = None

    def __post_init__(self) -> None:
        self.model.eval().requires_grad_(False)

    @cached_property
    def sample(self) -> MultimodalData:
        """The rows that are attacked, with their pictures."""
        with_picture = np.flatnonzero(self.data.present("image"))
        drawn = np.random.default_rng(self.seed).permutation(with_picture)[: self.params.max_rows]
        rows = self.data.take(np.sort(drawn))
        side = self.model.config.image_encoder["image_size"]
        return replace(rows, pixels=StoredPictures(self.examples, rows.example_ids, side))

    @property
    def num_pieces(self) -> int:
        """How many batches there are."""
        return -(-len(self.sample) // self.params.batch_size)

    def piece(self, index: int) -> dict[str, np.ndarray]:
        """What becomes of the rows of one batch: `right` and `standing` (B,), `lengths` and
        `shifts` by position that may move, and `counts` of passes."""
        return self.parts.arrays(f"pixels-{index}", lambda: self._attacked(index))

    def audit(self) -> dict[str, Any]:
        """The checks of the attack on features, of this one."""
        assert self.audited is not None, "asked of a siege without an audit"
        own = self.audited
        return self.parts.values(  # type: ignore[no-any-return]
            "pixels-audit", lambda: self._audit(own)
        )

    def figures(self) -> dict[str, Any]:
        """`rows`, `epsilon`, clean and robust accuracy, success among those right before, mean and
        max norm of the deltas, the mean L2 length, per position, by which features moved, passes,
        and the `audit` if there is one."""
        right, standing, lengths, shifts = map(self._joined, ("right", "standing", *MEASURED))
        passes = sum((piece["counts"] for piece in self._pieces), np.zeros(2, dtype=np.int64))
        found = {
            "rows": len(right),
            "epsilon": dict(self.params.attack.epsilon),
            "accuracy": _mean(right),
            "robust_accuracy": _mean(standing),
            "attack_success_rate": _mean(~standing[right]),
            "mean_delta_norm": _mean(lengths),
            "max_delta_norm": float(lengths.max()) if len(lengths) else 0.0,
            "mean_feature_shift": _mean(shifts),
            "forward_passes": int(passes[0]),
            "backward_passes": int(passes[1]),
        }
        return found | ({"audit": self.audit()} if self.audited else {})

    @cached_property
    def _pieces(self) -> list[dict[str, np.ndarray]]:
        return [self.piece(index) for index in range(self.num_pieces)]

    def _joined(self, name: str) -> np.ndarray:
        kind = np.float32 if name in MEASURED else np.bool_
        return np.concatenate([np.zeros(0, kind), *(piece[name] for piece in self._pieces)])

    def _attacked(self, index: int) -> dict[str, np.ndarray]:
        start, spent = index * self.params.batch_size, Spent()
        batch = self.sample.batch(
            range(start, min(start + self.params.batch_size, len(self.sample)))
        )
        attack = build_attack(self.params.attack)
        (drawn,) = np.random.SeedSequence([self.seed, index]).generate_state(1)
        generator = torch.Generator().manual_seed(int(drawn))
        target = Target(self.model, batch, self.goal, [PIXEL_SPACE], self.precision, spent)
        right = ~target.fallen(target.start)
        deltas, fallen = target.besiege(attack, self.goal.losses[0], 1.0, generator)
        standing = right & ~fallen
        lengths, shifts = torch.zeros(0), torch.zeros(0)
        for space, delta in deltas.items():
            found, moves = attack.lengths(delta, target.masks[space])
            shift = target.shift(deltas)
            lengths, shifts = found[moves], shift[~shift.isnan()]
        return {
            "right": right.numpy(),
            "standing": standing.numpy(),
            "lengths": lengths.numpy(),
            "shifts": shifts.numpy(),
            "counts": np.array([spent.forward, spent.backward]),
        }

    def _audit(self, audited: RobustnessParams) -> dict[str, Any]:
        right, standing = self._joined("right"), self._joined("standing")
        rows = np.flatnonzero(right)[:AUDITED_ROWS]
        movable, under_fgm = np.zeros(len(right), dtype=bool), np.zeros(len(right), dtype=bool)
        movable[rows] = True
        batch_size = self.params.batch_size
        probe = Probe(self.model, self.goal, self.sample, batch_size, self.precision, self.seed)
        # The two kinds of params differ in their spaces alone.
        attack: Any = self.params.attack
        under_fgm[rows], without_gradient = probe.fast_gradient(attack, rows)
        own = audited.model_copy(update={"attack": attack})
        return audit_attack(probe, standing, under_fgm, movable, own, without_gradient)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
