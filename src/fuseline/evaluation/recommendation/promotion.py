"""An attack that sellers would make: an item's content changed a little, so that it is listed.

Shapes: B items, Q people, S width of the towers, N items in all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.recommendation.measures import SHORT, make_lists
from fuseline.evaluation.recommendation.protocol import Asked
from fuseline.learning.attacks import Deltas, build_attack
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.recommending.scorer import Scorer
from fuseline.params.evaluate import RobustnessParams

MAX_ITEMS, MAX_PEOPLE = 64, 512


def measure_promotion(
    model: Any,
    scorer: Scorer,
    items: MultimodalData,
    asked: Asked,
    params: RobustnessParams,
    seed: int,
) -> dict[str, float]:
    """How many more lists an item comes into when what its content says is pushed towards what
    people want, within the ball that evaluation attacks other tasks in.

    Args:
        model: of recommendations, in evaluation mode.
        scorer: its scores.
        items: N of them.
        asked: whose lists.
        params: the attack; of `scale` 1.
        seed: of the items and people, drawn where there are many.

    Returns:
        `items` and `people`; and of both `listed_before` and `listed_after`, the mean share of
        lists of ten that an attacked item is in, each item attacked by itself.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(random.choice(len(items), min(MAX_ITEMS, len(items)), replace=False))
    if not len(asked.users):
        return {"items": 0.0, "people": 0.0, "listed_before": 0.0, "listed_after": 0.0}
    count = min(MAX_PEOPLE, len(asked.users))
    people = asked.of(np.sort(random.choice(len(asked.users), count, replace=False)))
    wants = scorer.people(people.users)
    moved = _pushed(model, items, chosen, wants.mean(0), params, seed)
    least = _last_listed(scorer, people)
    had = np.array([np.isin(chosen, one) for one in people.had])
    beside = torch.from_numpy(scorer.beside(people.users)[:, chosen])
    before = _listed(wants @ scorer.vectors[chosen].T + beside, least, had)
    # What attacked items have beside their content stays.
    vectors = scorer.vectors[chosen] + moved
    after = _listed(wants @ vectors.T + beside, least, had)
    return {
        "items": float(len(chosen)),
        "people": float(len(people.users)),
        "listed_before": before,
        "listed_after": after,
    }


def _pushed(
    model: Any,
    items: MultimodalData,
    chosen: np.ndarray,
    wanted: Tensor,
    params: RobustnessParams,
    seed: int,
) -> Tensor:
    """(B, S) by how much the attack moves what the content of items says, towards `wanted` (S,)."""
    attack = build_attack(params.attack)
    batch = items.batch(chosen)
    perturbable = Perturbable(model, batch, attack.spaces)

    def fits(deltas: Deltas) -> Tensor:
        content: Tensor = model(**perturbable.inputs(deltas)).logits @ wanted
        return content

    generator = torch.Generator().manual_seed(seed)
    # A tensor of the scorer's knows no gradients.
    wanted = wanted.clone()
    deltas = attack.perturb(fits, perturbable.start(), perturbable.masks(), generator=generator)
    with torch.no_grad():
        clean, moved = (
            model(**perturbable.inputs(one)).logits for one in (perturbable.start(), deltas)
        )
    return torch.as_tensor(moved - clean)


def _last_listed(scorer: Scorer, people: Asked) -> Tensor:
    """(Q,) the score of the last place of each list."""
    lists = make_lists(scorer, people).items[:, :SHORT]
    scores = scorer.scores(people.users)
    return torch.from_numpy(np.take_along_axis(scores, lists[:, -1:], 1)[:, 0])


def _listed(scores: Tensor, least: Tensor, had: np.ndarray) -> float:
    """Mean share of lists that an item is in, of people (Q,) and items (B,) by their scores (Q, B),
    of people who did not have it."""
    listed = ((scores >= least.unsqueeze(1)).numpy() & ~had).sum()
    return float(listed / max(1, (~had).sum()))
