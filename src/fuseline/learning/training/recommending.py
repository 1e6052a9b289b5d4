"""What fine-tuning needs to learn recommendations: rows that are events, and lists to pick the
epoch by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fuseline.data.dataset import MultimodalData
from fuseline.data.histories import Histories
from fuseline.data.interactions import DAY, Interactions, load_interactions
from fuseline.errors import ConfigError, ContractError
from fuseline.learning.recommending.choosing import choose_weights
from fuseline.learning.recommending.events import Events, is_first, rows_to_learn
from fuseline.learning.recommending.lists import best_items, ndcg
from fuseline.learning.recommending.people import people_of
from fuseline.learning.recommending.scorer import Scorer, begin_with, encode_items
from fuseline.learning.tasks import Task
from fuseline.pipeline.precision import Precision, autocast

BATCH = 256
TOP = 10
# Development people whose lists are made after an epoch, and events that are tried under attack.
MAX_PEOPLE, MAX_EVENTS = 5000, 1024


def read_events(folder: Path | None, items: MultimodalData) -> Interactions:
    """The events that there are to learn from.

    Raises:
        ConfigError: no table of them.
        ContractError: none to learn from, or to pick an epoch by.
    """
    if folder is None:
        raise ConfigError(
            "finetune.tasks: recommendation learns from events: give the folder of their table,"
            " data/interactions."
        )
    interactions = load_interactions(folder, items.example_ids)
    past, later = interactions.between(end=interactions.dev_from), _development(interactions)
    if not len(past) or not len(later):
        raise ContractError(
            f"{folder}: recommendation learns from what people did with items: expected events"
            f" before and in the development split, found {len(past)} and {len(later)}. Name a"
            " file of them in `interactions` of the source, and give ingest.interactions.dev a"
            " share above 0."
        )
    return interactions


def training_events(
    interactions: Interactions, items: MultimodalData, facts: dict[str, Any], seed: int
) -> Events:
    """The training split's events as rows.

    Raises:
        ContractError: they span no more than one horizon.
    """
    events, at = rows_to_learn(interactions, facts["horizon_days"], seed)
    if not len(events):
        raise ContractError(
            "finetune.recommendation.horizon_days: the training events span"
            f" {_days(interactions):.1f} days, and each has to have a horizon of"
            f" {facts['horizon_days']} days before it. Lower the horizon."
        )
    known = interactions.between(end=interactions.dev_from)
    group = facts["events_per_row"]
    return _rows(known, known, items, events, at, facts, group)


def development_events(
    interactions: Interactions, items: MultimodalData, facts: dict[str, Any]
) -> Events:
    """Events of the development split as rows, no more than `MAX_EVENTS`, evenly over its time."""
    later = _development(interactions)
    numbers = np.flatnonzero(is_first(later))
    chosen = np.linspace(0, len(numbers) - 1, min(MAX_EVENTS, len(numbers))).round().astype(int)
    events = numbers[chosen]
    at = np.full(len(events), interactions.dev_from, dtype=np.int64)
    known = interactions.between(end=interactions.dev_from)
    return _rows(later, known, items, events, at, facts, 1)


def _rows(
    asked: Interactions,
    known: Interactions,
    items: MultimodalData,
    events: np.ndarray,
    at: np.ndarray,
    facts: dict[str, Any],
    group: int,
) -> Events:
    return Events(
        items,
        Histories.of(known),
        known,
        asked.user[events],
        asked.item[events],
        at,
        facts["history"],
        group,
    )


def _development(interactions: Interactions) -> Interactions:
    return interactions.between(interactions.dev_from, interactions.test_from)


def _days(interactions: Interactions) -> float:
    past = interactions.between(end=interactions.dev_from)
    return float(past.time[-1] - past.time[0]) / DAY if len(past) else 0.0


class ListDevelopment:
    """Development metrics: lists for people of the development split, as of its start.

    Args:
        task: recommendation.
        items: all of them.
        interactions: all events.
        rows: development events.
        precision: of the products that encode items.
        seed: of the people that are drawn, where there are many.

    Attributes:
        tasks: the task.
        people: who took something new in the split.
    """

    def __init__(
        self,
        task: Task,
        items: MultimodalData,
        interactions: Interactions,
        rows: Events,
        precision: Precision,
        seed: int,
    ) -> None:
        self.tasks = [task]
        self._items, self._interactions, self._rows = items, interactions, rows
        self._precision, self._seed = precision, seed
        start = interactions.dev_from
        past, later = interactions.between(end=start), _development(interactions)
        asked = np.intersect1d(later.user, past.user)
        # Where everybody is new, these are who there is.
        people = asked if len(asked) else np.unique(later.user)
        if len(people) > MAX_PEOPLE:
            people = np.sort(np.random.default_rng(seed).choice(people, MAX_PEOPLE, replace=False))
        self.people = people_of(past, later, people)

    def __call__(self, model: Any) -> dict[str, float]:
        """`ndcg_at_10` and `hit_rate_at_10` of lists, and of rows the loss and the share `right`;
        the model's items are encoded anew."""
        model.heads[0].content.keep(encode_items(model, self._items, self._precision))
        scorer = self.scorer(model)
        gains, hits = [], []
        for start in range(0, len(self.people.users), BATCH):
            block = self.people.of(slice(start, start + BATCH))
            scores = scorer.scores(block.users)
            lists = best_items(scores, block.had, min(TOP, scores.shape[1]))
            gains.append(ndcg(lists, block.wanted))
            wanted = zip(lists, block.wanted, strict=True)
            hits += [np.isin(one, items).any() for one, items in wanted]
        figures = {
            "ndcg_at_10": float(np.concatenate(gains).mean()) if gains else 0.0,
            "hit_rate_at_10": float(np.mean(hits)) if hits else 0.0,
        }
        print("\n" + "\n".join(f"{name:<32}{value:.4f}" for name, value in figures.items()))
        return figures | self._of_rows(model)

    def begin(self, model: Any) -> None:
        """Encode the items of a model that is to be trained for the first time."""
        model.eval()
        begin_with(model, self._items, self._precision, self._seed)

    def scorer(self, model: Any) -> Scorer:
        """Scores as of the development events' start."""
        return Scorer(model, self._interactions, self._interactions.dev_from)

    def choose(self, model: Any) -> dict[str, Any]:
        """Encode the items of a trained model, and choose how the parts of its scores count; what
        came of it."""
        model.eval()
        model.heads[0].content.keep(encode_items(model, self._items))
        return choose_weights(model, lambda: self.scorer(model), self.people)._asdict()

    def _of_rows(self, model: Any) -> dict[str, float]:
        task, losses, right = self.tasks[0], [], []
        for start in range(0, len(self._rows), BATCH):
            batch = self._rows.batch(np.arange(start, min(start + BATCH, len(self._rows))))
            with torch.inference_mode(), autocast(self._precision):
                logits = model(**batch).logits
            losses.append(task.losses(logits, batch).numpy())
            right.append(task.right(logits, batch).numpy())
        mean = {"loss": np.concatenate(losses).mean(), "right": np.concatenate(right).mean()}
        return {name: float(value) for name, value in mean.items()}
