"""Items ranked for a person, whoever it is, by an export.

Shapes: B people, L events that the model reads, N items, S width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.errors import ContractError
from fuseline.serving.recommending.catalogue import History, Items, Users
from fuseline.serving.recommending.files import (
    FOLDER,
    REMEDY,
    USER_FILE,
    VECTORS_FILE,
    Facts,
    Vectors,
    read_facts,
    read_vectors,
)
from fuseline.serving.recommending.filters import Condition
from fuseline.serving.recommending.ranking import POOL, best, diverse
from fuseline.serving.recommending.reasons import Why, added, why
from fuseline.serving.sessions import Graph

DAY_SECONDS = 86_400
INPUTS, OUTPUTS = {"history", "mask", "ages"}, {"parts", "constant"}


@dataclass(frozen=True)
class Recommended:
    """One item of a list; `rank` counts from 1."""

    id: str
    text: str | None
    score: float
    rank: int
    why: Why

    def as_object(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class People:
    """As the model sees them.

    Attributes:
        parts: (B, L, S) float32: what each event adds, the newest first, zeros behind.
        constant: (B, S) float32.
        vectors: (B, S) float32, the sum.
        events: B times (at most L,) int64, the rows of the items that are read.
    """

    parts: np.ndarray
    constant: np.ndarray
    vectors: np.ndarray
    events: Sequence[np.ndarray]


class Recommender:
    """Ranks the items of an export.

    Args:
        facts: of `recommender.json`.
        items: N of them.
        users: that are known.
        vectors: of the items.
        graph: of a person's vector.
    """

    def __init__(
        self, facts: Facts, items: Items, users: Users, vectors: Vectors, graph: Graph
    ) -> None:
        self.facts, self.items, self.users = facts, items, users
        self._vectors, self._graph = vectors, graph

    def recommend(
        self,
        history: History,
        *,
        count: int,
        seen: bool = False,
        where: Sequence[Condition] = (),
        diversity: float = 0.0,
    ) -> list[Recommended]:
        """The best items for a person, equal ones by their row.

        Args:
            history: of the person; may be empty: then by the constant and popularity alone.
            count: of items at most.
            seen: whether items of the history may be listed.
            where: conditions that items must meet.
            diversity: 0 to 1; see `ranking.diverse`.

        Raises:
            ConfigError: a condition names no column.
        """
        people = self.people([history])
        allowed = self.allowed(where)
        scores = self.scores(people)[0]
        rows = self.listed(scores, history, allowed, count=count, seen=seen, diversity=diversity)
        return [
            Recommended(
                self.items.ids[row],
                self.items.texts[row],
                float(scores[row]),
                rank,
                self._why(people, history, row),
            )
            for rank, row in enumerate(rows.tolist(), start=1)
        ]

    def people(self, histories: Sequence[History]) -> People:
        """People as the model sees them, by the last L events of each; ages are counted from the
        export's time, or from a person's newest event where that is later."""
        size = (len(histories), self.facts.history)
        events = np.zeros((*size, self.facts.width), dtype=np.float32)
        mask, ages = np.zeros(size, dtype=bool), np.zeros(size, dtype=np.float32)
        read = []
        for place, one in enumerate(histories):
            rows, times = self._read(one)
            read.append(rows)
            events[place, : len(rows)] = self._vectors.items[rows]
            mask[place, : len(rows)] = True
            now = max([self.facts.as_of, *times[:1].tolist()])
            ages[place, : len(rows)] = (now - times) / DAY_SECONDS
        found = self._graph({"history": events, "mask": mask, "ages": ages})
        parts = np.where(mask[:, :, None], found["parts"], np.float32(0))
        return People(parts, found["constant"], found["constant"] + parts.sum(1), read)

    def scores(self, people: People) -> np.ndarray:
        """(B, N) float32."""
        found = np.asarray(people.vectors @ self._vectors.items.T + self._vectors.bias)
        for scores, rows in zip(found, people.events, strict=True):
            np.add.at(scores, self._vectors.neighbours[rows], self._vectors.weights[rows])
        return found

    def allowed(self, where: Sequence[Condition]) -> np.ndarray | None:
        """(N,) bool: items that meet the conditions; None where there are none.

        Raises:
            ConfigError: one names no column.
        """
        return self.items.cells.fitting(where, "where") if where else None

    def listed(
        self,
        scores: np.ndarray,
        history: History,
        allowed: np.ndarray | None,
        *,
        count: int,
        seen: bool,
        diversity: float,
    ) -> np.ndarray:
        """Rows of the list of one person, of scores (N,)."""
        ranked = scores if allowed is None else np.where(allowed, scores, -np.inf)
        if not seen and len(history.items):
            ranked = ranked.copy()
            ranked[history.items] = -np.inf
        if not diversity:
            return best(ranked, count)
        pool = best(ranked, max(POOL, count))
        return np.asarray(pool[diverse(scores[pool], self._vectors.items[pool], count, diversity)])

    def _read(self, history: History) -> tuple[np.ndarray, np.ndarray]:
        """Rows and times of the events that the model reads, the newest first."""
        last = slice(None, -self.facts.history - 1, -1)
        return history.items[last], history.times[last]

    def _why(self, people: People, history: History, row: int) -> Why:
        rows, _ = self._read(history)
        vector = self._vectors.items[row]
        speaks = self._vectors.neighbours[rows] == row
        goes_with = (self._vectors.weights[rows] * speaks).sum(1)
        return why(
            added(people.parts[0, : len(rows)] @ vector + goes_with, rows),
            {one: (self.items.ids[one], self.items.texts[one]) for one in rows.tolist()},
            float(people.constant[0] @ vector),
            float(self._vectors.bias[row]),
            {
                name: float(people.vectors[0] @ alone[row])
                for name, alone in self._vectors.alone.items()
            },
        )


def load_recommender(export: Path, threads: int = 1) -> Recommender:
    """The recommender of an export.

    Args:
        export: its folder.
        threads: that a person's vector is computed on.

    Raises:
        ConfigError: it recommends nothing, or ONNX Runtime is not installed.
        ContractError: a file is damaged, or not what `recommender.json` says.
    """
    facts, folder = read_facts(export), export / FOLDER
    graph = Graph(folder / USER_FILE, threads)
    if set(graph.inputs) - INPUTS or set(graph.outputs) != OUTPUTS:
        raise ContractError(
            f"{folder / USER_FILE}: expected inputs {sorted(INPUTS)} and outputs {sorted(OUTPUTS)},"
            f" found {graph.inputs} and {graph.outputs}. {REMEDY}"
        )
    count = facts.num_items
    vectors = read_vectors(folder / VECTORS_FILE, facts)
    return Recommender(facts, Items(folder, count), Users(folder, count), vectors, graph)
