"""A model's lists on the test events, beside its rivals' on the same people.

Shapes: Q people asked, N items.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fuseline.data.interactions import Interactions
from fuseline.evaluation.recommendation.beside import (
    ByPerson,
    Resampling,
    means,
    measure_rivals,
)
from fuseline.evaluation.recommendation.measures import Lists, chance_of_hit, make_lists
from fuseline.evaluation.recommendation.protocol import Asked, Scorer, asked_people


def measure_recommendation(
    scorer: Scorer,
    interactions: Interactions,
    num_items: int,
    *,
    num_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Figures of a scorer on the test events.

    Args:
        scorer: knows nothing from `interactions.test_from` on.
        interactions: all events.
        num_items: N.
        num_resamples: of people, for intervals.
        seed: of these.

    Returns:
        `protocol`, in words; means over known people of each figure of `Lists.by_person`, their
        `intervals`, and those of `Lists.over_all`; `new_users` and `one_event_users`, the same
        means of these people; `cold_items`, how cold items are found among themselves and among
        all; and `rivals`, as `measure_rivals` gives them.
    """
    cut = interactions.test_from
    asked = asked_people(interactions, num_items, cut, None, known=True)
    new = asked_people(interactions, num_items, cut, None, known=False)
    lists = make_lists(scorer, asked)
    ours = lists.by_person()
    past = interactions.between(end=cut)
    popularity = np.bincount(past.item, minlength=num_items)
    few = np.flatnonzero(asked.events == 1)
    resampling = Resampling(num_resamples, seed)
    return {
        "protocol": asked.told(),
        "people": len(asked.users),
        **means(ours),
        "intervals": resampling.intervals(ours),
        **lists.over_all(popularity),
        "new_users": {"people": len(new.users), **means(make_lists(scorer, new).by_person())},
        "one_event_users": {"people": len(few), **means(_of(ours, few))},
        "cold_items": _cold(scorer, asked, lists),
        "rivals": measure_rivals(interactions, asked, new, ours, resampling),
    }


def _of(by_person: ByPerson, people: np.ndarray) -> ByPerson:
    return {name: values[people] for name, values in by_person.items()}


def _cold(scorer: Scorer, asked: Asked, lists: Lists) -> dict[str, float]:
    """Of people who took cold items, the recall at ten of these: of lists of cold items alone, and
    of lists of all; beside each what a random order gives."""
    cold = ~asked.warm
    wanted = [items[cold[items]] for items in asked.wanted]
    places = np.flatnonzero([len(items) > 0 for items in wanted])
    people = asked.of(places)
    people = Asked(
        people.cut, people.num_items, people.users, people.had,
        [wanted[place] for place in places], people.warm,
    )  # fmt: skip
    found = {"items": float(cold.sum()), "people": float(len(places))}
    if not len(places):
        return found | dict.fromkeys(
            ("recall_among_cold", "random_among_cold", "recall_among_all", "random_among_all"), 0.0
        )
    alone = make_lists(scorer, people, cold).by_person()["recall_at_10"]
    among_all = Lists(people, lists.items[places]).by_person()["recall_at_10"]
    return found | {
        "recall_among_cold": float(alone.mean()),
        "random_among_cold": chance_of_hit(people, cold),
        "recall_among_all": float(among_all.mean()),
        "random_among_all": chance_of_hit(people, np.ones_like(cold)),
    }
