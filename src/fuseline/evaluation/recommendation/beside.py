"""A model's figures beside those of its rivals, on the same people.

Shapes: Q people asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fuseline.data.interactions import Interactions
from fuseline.evaluation.recommendation.measures import make_lists
from fuseline.evaluation.recommendation.protocol import Asked, asked_people
from fuseline.evaluation.recommendation.rivals import RIVALS, Rival, Setting
from fuseline.evaluation.trust.intervals import Score, bootstrap, differences
from fuseline.evaluation.trust.shares import Interval

HEADLINE = "ndcg_at_10"

ByPerson = dict[str, np.ndarray]


@dataclass(frozen=True)
class Resampling:
    """Of people, for intervals."""

    num_resamples: int
    seed: int

    def intervals(self, ours: ByPerson) -> dict[str, Interval]:
        """Of the means of figures by person."""
        people = len(next(iter(ours.values())))
        if not people:
            return {}
        return bootstrap(_mean_of(ours), people, num_resamples=self.num_resamples, seed=self.seed)

    def apart(self, ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
        """The mean of (Q,) figures less that of others of the same people, at least one, with its
        interval."""
        found = differences(
            _mean_of({HEADLINE: ours}),
            _mean_of({HEADLINE: theirs}),
            len(ours),
            num_resamples=self.num_resamples,
            seed=self.seed,
        )
        return found[HEADLINE]


def measure_rivals(
    interactions: Interactions,
    asked: Asked,
    new: Asked,
    ours: ByPerson,
    resampling: Resampling,
) -> dict[str, Any]:
    """Each rival, tuned on the development events and given all events before the test.

    Args:
        interactions: all events.
        asked: known people who are asked at the first second of the test events.
        new: those who had no event.
        ours: the model's figures of `asked`.
        resampling: of people.

    Returns:
        By name of `RIVALS` the means over people; `intervals` of the headline; `setting`;
        `difference`, the model's headline less the rival's, paired; `one_event_users`, the headline
        of people with one event, and there is any of them `one_event_difference`; `new_users`, the
        headline of the new. Nothing where nobody is asked.
    """
    if not len(asked.users):
        return {}
    few = np.flatnonzero(asked.events == 1)
    found = {}
    for name, rival in RIVALS.items():
        setting = tuned(rival, interactions, asked.num_items)
        scorer = rival.at(interactions, asked.num_items, asked.cut, setting)
        theirs = make_lists(scorer, asked).by_person()
        one, other = ours[HEADLINE], theirs[HEADLINE]
        found[name] = {
            **means(theirs),
            "intervals": resampling.intervals({HEADLINE: other}),
            "setting": setting,
            "difference": resampling.apart(one, other),
            "one_event_users": means({HEADLINE: other[few]})[HEADLINE],
            "new_users": means(make_lists(scorer, new).by_person())[HEADLINE],
        }
        if len(few):
            found[name]["one_event_difference"] = resampling.apart(one[few], other[few])
    return found


def tuned(rival: Rival, interactions: Interactions, num_items: int) -> Setting:
    """The setting whose lists are best on the development events; of equal ones the first."""
    if len(rival.settings) == 1:
        return rival.settings[0]
    cut = interactions.dev_from
    asked = asked_people(interactions, num_items, cut, interactions.test_from, known=True)
    if not len(asked.users):
        return rival.settings[0]
    scored = [
        means(make_lists(rival.at(interactions, num_items, cut, one), asked).by_person())[HEADLINE]
        for one in rival.settings
    ]
    return rival.settings[int(np.argmax(scored))]


def means(by_person: ByPerson) -> dict[str, float]:
    """Over people; 0 of none."""
    return {
        name: float(values.mean()) if len(values) else 0.0 for name, values in by_person.items()
    }


def _mean_of(by_person: ByPerson) -> Score:
    return lambda rows: {name: float(values[rows].mean()) for name, values in by_person.items()}
