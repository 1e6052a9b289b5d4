"""A model's lists on the test events, beside its rivals' on the same people.

Shapes: Q people asked, N items.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fuseline.data.interactions import Interactions
from fuseline.evaluation.recommendation.measures import Lists, chance_of_hit, make_lists
from fuseline.evaluation.recommendation.protocol import Asked, Scorer, asked_people
from fuseline.evaluation.recommendation.rivals import RIVALS
from fuseline.evaluation.trust.intervals import bootstrap, differences
from fuseline.evaluation.trust.shares import Interval

HEADLINE = "ndcg_at_10"
# The setting of a rival that looks at all time; JSON knows no infinity.
ALL_TIME = 0.0

ByPerson = dict[str, np.ndarray]


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
        all; and `rivals`, by name their means, `setting` and the paired `difference` of the
        model's less theirs.
    """
    cut = interactions.test_from
    asked = asked_people(interactions, num_items, cut, None, known=True)
    new = asked_people(interactions, num_items, cut, None, known=False)
    lists = make_lists(scorer, asked)
    ours = lists.by_person()
    past = interactions.between(end=cut)
    popularity = np.bincount(past.item, minlength=num_items)
    few = np.flatnonzero(asked.events == 1)
    found = {
        "protocol": asked.told(),
        "people": len(asked.users),
        **means(ours),
        "intervals": _intervals(ours, num_resamples, seed),
        **lists.over_all(popularity),
        "new_users": {"people": len(new.users), **means(make_lists(scorer, new).by_person())},
        "one_event_users": {
            "people": len(few),
            **means({name: values[few] for name, values in ours.items()}),
        },
        "cold_items": _cold(scorer, asked, lists),
    }
    return found | {"rivals": _rivals(interactions, asked, ours, few, num_resamples, seed)}


def means(by_person: ByPerson) -> dict[str, float]:
    """Over people; 0 of none."""
    return {
        name: float(values.mean()) if len(values) else 0.0 for name, values in by_person.items()
    }


def _intervals(ours: ByPerson, num_resamples: int, seed: int) -> dict[str, Interval]:
    people = len(next(iter(ours.values())))
    if not people:
        return {}
    return bootstrap(
        lambda rows: {name: float(values[rows].mean()) for name, values in ours.items()},
        people,
        num_resamples=num_resamples,
        seed=seed,
    )


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


def _rivals(
    interactions: Interactions,
    asked: Asked,
    ours: ByPerson,
    few: np.ndarray,
    num_resamples: int,
    seed: int,
) -> dict[str, Any]:
    if not len(asked.users):
        return {}
    past, found = interactions.between(end=asked.cut), {}
    for name, rival in RIVALS.items():
        setting = _tuned(name, interactions, asked.num_items)
        scorer = rival.build(past, asked.num_items, asked.cut, setting)
        theirs = make_lists(scorer, asked).by_person()
        apart = differences(
            lambda rows: {HEADLINE: float(ours[HEADLINE][rows].mean())},
            lambda rows, theirs=theirs: {HEADLINE: float(theirs[HEADLINE][rows].mean())},  # type: ignore[misc]
            len(asked.users),
            num_resamples=num_resamples,
            seed=seed,
        )[HEADLINE]
        found[name] = {
            **means(theirs),
            "setting": setting if np.isfinite(setting) else ALL_TIME,
            "one_event_users": float(theirs[HEADLINE][few].mean()) if len(few) else 0.0,
            "difference": apart,
        }
    return found


def _tuned(name: str, interactions: Interactions, num_items: int) -> float:
    """The setting whose lists are best on the development events; of equal ones the first."""
    rival = RIVALS[name]
    if len(rival.settings) == 1:
        return rival.settings[0]
    cut = interactions.dev_from
    asked = asked_people(interactions, num_items, cut, interactions.test_from, known=True)
    if not len(asked.users):
        return rival.settings[0]
    past = interactions.between(end=cut)
    scored = [
        means(make_lists(rival.build(past, num_items, cut, one), asked).by_person())[HEADLINE]
        for one in rival.settings
    ]
    return rival.settings[int(np.argmax(scored))]
