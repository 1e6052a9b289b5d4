"""A second opinion on robust accuracy: an attack written from the formulas alone, with ten times
the passes, on rows that stand under the one that `evaluate` reports.

It shares no code with `fuseline.learning.attacks`: steepest ascent in a ball of L2 per position
(Madry et al. 2018, arXiv 1706.06083), steps that fall by a cosine, restarts from random points
that climb the margin and the cross-entropy by turns. A row has fallen once any iterate is wrong.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fuseline.config import load_section
from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.pieces import SIEGE, Evaluation, EvaluationInputs
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams

MODELS = ("finetuned", "adversarial")
# Share of the radius that the first and the last step of a restart takes.
FIRST_STEP, LAST_STEP = 0.5, 0.005
BATCH_ROWS = 32


def main(
    root: Path = Path(), max_rows: int = 64, num_restarts: int = 10, num_steps: int = 100
) -> None:
    """Print, by model, how many of the standing rows fall, and what that takes off the headline.

    Args:
        root: of a repository whose pipeline has run.
        max_rows: standing rows to attack, drawn by the seed.
        num_restarts, num_steps: of the second attack.
    """
    for name in MODELS:
        run = evaluation(root, name)
        siege = run.attacks[SIEGE]
        headline = siege.figures()["robust_accuracy"]
        standing = np.flatnonzero(run.attacked.standing)
        drawn = np.random.default_rng(run.base.seed).permutation(standing)[:max_rows]
        rows = run.test.take(np.sort(drawn))
        radii = dict(run.params.robustness.attack.epsilon)
        fallen = second_attack(run.model, rows, radii, num_restarts, num_steps, run.base.seed)
        share = fallen / max(len(rows), 1)
        print(
            f"{name:<12}headline {headline:.4f}; of {len(rows)} standing rows {fallen} fall to the"
            f" second attack: {100 * share * headline:.1f} points less",
            flush=True,
        )


def evaluation(root: Path, name: str) -> Evaluation:
    """The evaluation of a model, with the attack of the params at its headline scale alone."""
    params = load_section("evaluate", EvaluateParams, root / "params.yaml")
    # The curve must go on beyond the headline; at so many times the radius every row falls at once.
    scales = {"scales": [1.0, 1000.0], "audit": params.robustness.audit}
    robustness = params.robustness.model_copy(update=scales)
    tables = (root / "data" / kind for kind in ("examples", "tokens", "tokenizer", "features"))
    return Evaluation(
        EvaluationInputs(root / "models" / name, *tables),
        params.model_copy(update={"robustness": robustness}),
        load_section("base", BaseParams, root / "params.yaml"),
        Path(tempfile.mkdtemp(prefix="fuseline-")),
    )


def second_attack(
    model: Any,
    rows: MultimodalData,
    radii: dict[str, float],
    num_restarts: int,
    num_steps: int,
    seed: int,
) -> int:
    """How many of N rows, right without an attack, fall at any iterate."""
    generator = torch.Generator().manual_seed(seed)
    order = np.argsort(rows.lengths, kind="stable")
    fallen = 0
    for start in range(0, len(order), BATCH_ROWS):
        ball = Ball.around(model, rows.batch(order[start : start + BATCH_ROWS]), radii)
        fell = torch.zeros(len(ball.labels), dtype=torch.bool)
        for restart in range(num_restarts):
            fell |= climb(model, ball, num_steps, restart, generator)
        fallen += int(fell.sum())
    return fallen


@dataclass(frozen=True)
class Ball:
    """What may move about a batch of rows.

    Attributes:
        batch: of the rows, with their word vectors in place of the ids.
        labels: (B,).
        movable: by input (B, P, 1), which positions may move.
        radii: by input.
    """

    batch: dict[str, Tensor]
    labels: Tensor
    movable: dict[str, Tensor]
    radii: dict[str, float]

    @classmethod
    def around(cls, model: Any, batch: dict[str, Tensor], radii: dict[str, float]) -> Ball:
        movable, own = {}, {}
        if "text_embedding" in radii and "input_ids" in batch:
            ids = batch["input_ids"]
            special = torch.tensor(model.config.special_token_ids)
            words = batch["attention_mask"].bool() & ~torch.isin(ids, special)
            movable["inputs_embeds"] = (words & batch["text_mask"][:, None])[..., None]
            own["inputs_embeds"] = radii["text_embedding"]
            batch = batch | {"inputs_embeds": model.get_input_embeddings()(ids).detach()}
        for space, radius in radii.items():
            name = f"{space.removesuffix('_feature')}_features"
            if name in batch:
                here = batch[name.replace("features", "mask")]
                movable[name] = here[:, None, None].expand(-1, batch[name].shape[1], 1)
                own[name] = radius
        return cls(batch, batch["labels"], movable, own)

    def projected(self, deltas: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each position's delta within its ball, none where nothing may move."""
        return {
            name: torch.where(
                self.movable[name],
                delta * (self.radii[name] / _lengths(delta)).clamp_max(1.0),
                0.0,
            )
            for name, delta in deltas.items()
        }


def _lengths(delta: Tensor) -> Tensor:
    """(B, P, 1), above 0."""
    return delta.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def climb(
    model: Any, ball: Ball, num_steps: int, restart: int, generator: torch.Generator
) -> Tensor:
    """(B,) bool: rows that are wrong at any iterate of one restart."""
    deltas = {}
    for name in ball.movable:
        drawn = torch.randn(ball.batch[name].shape, generator=generator)
        deltas[name] = ball.radii[name] * drawn
    deltas = ball.projected(deltas)
    fell = torch.zeros(len(ball.labels), dtype=torch.bool)
    for step in range(num_steps + 1):
        deltas = {name: delta.detach().requires_grad_() for name, delta in deltas.items()}
        moved = {name: ball.batch[name] + delta for name, delta in deltas.items()}
        logits = model(**{k: v for k, v in (ball.batch | moved).items() if k != "labels"}).logits
        fell |= logits.argmax(-1) != ball.labels
        if step == num_steps or bool(fell.all()):
            return fell
        loss = (_margin if restart % 2 == 0 else functional.cross_entropy)(logits, ball.labels)
        gradients = torch.autograd.grad(loss, list(deltas.values()))
        falls = 0.5 * (1 + math.cos(math.pi * step / num_steps))
        size = LAST_STEP + (FIRST_STEP - LAST_STEP) * falls
        stepped = {
            name: (
                delta + size * ball.radii[name] * functional.normalize(gradient, dim=-1)
            ).detach()
            for (name, delta), gradient in zip(deltas.items(), gradients, strict=True)
        }
        deltas = ball.projected(stepped)
    return fell


def _margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of the best wrong logits less the right ones."""
    right = functional.one_hot(labels, logits.shape[-1]).bool()
    wrong = logits.masked_fill(right, -torch.inf).amax(-1)
    return (wrong - logits[right]).sum()
