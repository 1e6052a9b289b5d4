"""A small service of conversations: its file, its knowledge, and vectors made by hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from fuseline.params.whole import set_keys
from fuseline.serving.chat.config import Service, read_service
from fuseline.serving.chat.dialogue import Dialogue
from fuseline.serving.chat.knowledge import Entry
from fuseline.serving.chat.new_intents import NewIntents
from fuseline.serving.chat.retrieval import Retriever
from fuseline.serving.chat.safety import ChatScreen
from fuseline.serving.chat.understanding import Understood

PARAMS: dict[str, Any] = {
    "knowledge": "knowledge.csv",
    "new_intents": "new_intents.jsonl",
    "limits": {
        "message_characters": 200,
        "answer_characters": 200,
        "knowledge_entries": 100,
        "history_turns": 4,
        "sessions": 3,
        "session_minutes": 10.0,
    },
    "retrieval": {
        "rank_constant": 10,
        "weights": {"words": 1.0, "question": 2.0, "answer": 1.0},
        "false_answers": 0.05,
        "passages": 2,
    },
    "ask_back": {"gap": 0.2, "together": 0.6},
    "hand_over": {
        "wishes": ["talk to a human"],
        "complaints": ["I want to complain"],
        "intents": [],
        "unsure_in_a_row": 2,
        "file": None,
        "webhook": None,
    },
    "safety": {"harmful": "word_list", "shown": []},
    "slots": {"amount": r"[£$€]\s?\d+"},
    "names": {},
    "templates": {},
    "small_talk": [{"phrases": ["hello"], "text": "Good day."}],
    "texts": {
        "ask_back": "Is it {first} or {second}?",
        "unsure": "In other words?",
        "harmful": "Not with such words.",
        "refused": "I cannot read that.",
        "waiting": "A colleague has it.",
        "hand_over": {
            "wish": "As you wish.",
            "complaint": "I am sorry.",
            "intent": "That is for a colleague.",
            "nothing_found": "I do not know.",
            "unsure": "I do not understand.",
        },
    },
}
# Question, answer, intent.
ROWS: Sequence[tuple[str, str, str]] = (
    ("How do I reset my password?", "Choose 'Forgotten password'.", ""),
    ("Where is my parcel?", "Open your order and choose 'Follow'.", ""),
    ("Can I return shoes?", "Within thirty days.", ""),
    ("Do you deliver abroad?", "To the whole of Europe.", ""),
    ("When are you open?", "From nine to five.", ""),
    ("What do ants eat?", "Sugar, mostly.", "ant"),
)
LABELS = ["ant", "bee", "cat"]


def write_service(folder: Path, rows: Sequence[Sequence[str]] = ROWS, **changes: Any) -> Path:
    """The file of a service, and its knowledge beside it.

    Args:
        folder: that they are in.
        rows: of the knowledge.
        changes: of keys, with `__` for the dot between them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    params = json.loads(json.dumps(PARAMS))
    set_keys(params, {name.replace("__", "."): value for name, value in changes.items()})
    with (folder / "service.yaml").open("w") as file:
        YAML(typ="safe").dump(params, file)
    with (folder / "knowledge.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "answer", "intent"), *rows])
    return folder / "service.yaml"


def service(folder: Path, **changes: Any) -> Service:
    """A service that was read."""
    return read_service(write_service(folder, **changes))


def entries(rows: Sequence[Sequence[str]] = ROWS) -> list[Entry]:
    """Rows as the knowledge holds them."""
    return [
        Entry(number, question, answer, intent or None, f"page {number}")
        for number, (question, answer, intent) in enumerate(rows, start=1)
    ]


def vector(place: int, width: int = len(ROWS) + 1) -> np.ndarray:
    """(W,) of what is like the entry at a place, and little like others; the last is like none."""
    noise = np.random.default_rng(place % width).normal(scale=0.1, size=width)
    return (np.eye(width)[place] + noise).astype(np.float32)


def dialogue(told: Service, added: NewIntents | None = None) -> Dialogue:
    """A dialogue whose entries are told apart by their vectors."""
    found = entries()
    vectors = np.stack([vector(place) for place in range(len(found))])
    retriever = Retriever(found, vectors, vectors, told.params.retrieval)
    nothing = NewIntents({}, None)  # type: ignore[arg-type]  # no bank is asked without intents
    return Dialogue(told, retriever, added or nothing, ChatScreen(told.params.safety))


def understood(
    place: int = -1,
    ant: float = 0.4,
    bee: float = 0.3,
    *,
    sure: bool = False,
    in_scope: bool = True,
) -> Understood:
    """A message as a model might see it: like the entry at a place."""
    cat = round(1.0 - ant - bee, 6)
    pairs = sorted({"ant": ant, "bee": bee, "cat": cat}.items(), key=lambda one: -one[1])
    return Understood(dict(pairs), sure, in_scope, vector(place))
