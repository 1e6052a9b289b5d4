"""Our PGD beside Foolbox's on the OpenMoji models: robust accuracy of the same rows, at the same
radius, with the same steps.

Foolbox knows one ball around a whole input, so that norms are taken per example here, and no
positions that may not move: its deltas count only where ours may lie.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import foolbox
import numpy as np
import torch
from torch.nn import functional

from benchmarks.trained import load_trained
from benchmarks.workspace import ROOT, clean_clone, run
from fuseline.config import load_section
from fuseline.data.dataset import LABELS
from fuseline.learning.attacks.pgd import PGD
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.params.attack import BallParams
from fuseline.params.base import BaseParams
from fuseline.pipeline.precision import make_deterministic

NUM_STEPS, STEP_SIZE = 20, 0.2
# By space and norm, chosen so that some rows stand and some fall.
EPSILONS = {
    "text_embedding": {"l2": 0.2, "linf": 0.006},
    "image_feature": {"l2": 4.0, "linf": 0.05},
}
LIBRARY = {
    "l2": foolbox.attacks.L2ProjectedGradientDescentAttack,
    "linf": foolbox.attacks.LinfProjectedGradientDescentAttack,
}
# Foolbox wants bounds; deltas have none.
BOUNDS = (-1e4, 1e4)


def main(origin: Path = ROOT) -> None:
    """Train both models in a clean clone, and compare."""
    with clean_clone(origin) as clone:
        run(clone, "dvc", "repro", "--quiet", "adversarial_finetune")
        compare(clone)


def compare(folder: Path) -> None:
    """Print a line for each model, space, norm and radius."""
    print("| model | space | norm | epsilon | ours | Foolbox |\n|---|---|---|---|---|---|")
    largest = 0.0
    for name in ("finetuned", "adversarial"):
        model, batch = rows(folder, name)
        for space, norms in EPSILONS.items():
            for norm, epsilon in norms.items():
                found = [
                    accuracy(model, batch, space, deltas)
                    for deltas in both(model, batch, space, norm, epsilon)
                ]
                largest = max(largest, abs(found[0] - found[1]))
                shown = " | ".join(f"{share:.3f}" for share in found)
                print(f"| {name} | {space} | {norm} | {epsilon:g} | {shown} |", flush=True)
    print(f"\nLargest difference: {100 * largest:.2f} points")


def rows(folder: Path, name: str) -> tuple[Any, dict[str, torch.Tensor]]:
    """A model and the whole test split as one batch."""
    base = load_section("base", BaseParams, folder / "params.yaml")
    make_deterministic(base.seed, base.num_threads)
    model, data = load_trained(folder / "models" / name, folder / "data", base)
    model.requires_grad_(False)
    test = data.select("test")
    return model, test.batch(np.arange(len(test)))


def both(
    model: Any, batch: dict[str, torch.Tensor], space: str, norm: str, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Deltas (N, T, D) that our attack and the library's end at."""
    perturbable = Perturbable(model, batch, [space])
    ball = BallParams(
        norm=norm,
        per="example",
        epsilon={space: epsilon},
        num_steps=NUM_STEPS,
        step_size=STEP_SIZE,
        random_start=False,
    )

    def losses(deltas: dict[str, torch.Tensor]) -> torch.Tensor:
        logits = model(**perturbable.inputs(deltas)).logits
        return functional.cross_entropy(logits, batch[LABELS], reduction="none")

    start, masks = perturbable.start(), perturbable.masks()
    ours = PGD(ball).perturb(losses, start, masks)[space]
    here = masks[space].unsqueeze(-1)

    class OnDeltas(torch.nn.Module):
        def forward(self, deltas: torch.Tensor) -> torch.Tensor:
            return model(**perturbable.inputs({space: deltas * here})).logits

    wrapped = foolbox.PyTorchModel(OnDeltas().eval(), bounds=BOUNDS, device="cpu")
    criterion = foolbox.criteria.Misclassification(batch[LABELS])
    # A relative step would be scaled by the library in its own way.
    attack = LIBRARY[norm](abs_stepsize=STEP_SIZE * epsilon, steps=NUM_STEPS, random_start=False)
    return ours, attack.run(wrapped, start[space], criterion, epsilon=epsilon) * here


def accuracy(model: Any, batch: dict[str, torch.Tensor], space: str, deltas: torch.Tensor) -> float:
    """Share of rows that are right under the deltas."""
    perturbable = Perturbable(model, batch, [space])
    with torch.no_grad():
        logits = model(**perturbable.inputs({space: deltas})).logits
    return float((logits.argmax(-1) == batch[LABELS]).float().mean())


if __name__ == "__main__":
    main()
