"""The model's part: rows without a mood are asked, others only looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuseline.errors import ConfigError
from fuseline.serving.monitor.answering import Answering, Given
from fuseline.serving.monitor.events import Event
from fuseline.serving.monitor.words import Pieces
from tests.support.monitored import settings

SETTINGS = settings(negative=["bee"])


def event(text: str | None, label: str | None = None, topic: str | None = None) -> Event:
    return Event(1.0, "a", text, label, topic)


@pytest.fixture(scope="module")
def answering(export: Path) -> Answering:
    return Answering(export, SETTINGS, int8=False, threads=1)


def test_rows_without_a_mood_get_one(answering: Answering) -> None:
    asked, given, lacking = answering(
        [event("ant bee", topic="sales"), event("cat", "sad"), event(None, "sad")]
    )
    assert isinstance(asked, Event) and isinstance(given, Event) and isinstance(lacking, Event)
    assert asked.label in ("ant", "bee", "cat")
    assert (asked.topic, asked.id, asked.time) == ("sales", "a", 1.0)
    assert isinstance(asked.in_scope, bool) and isinstance(asked.strange, bool)
    assert (given.label, given.in_scope, isinstance(given.strange, bool)) == ("sad", None, True)
    assert lacking.strange is None


def test_texts_are_masked_as_in_training(answering: Answering) -> None:
    (found,) = answering([event("ant of ann@example.org")])
    assert isinstance(found, Event) and found.text is not None
    assert "ann@example.org" not in found.text


def test_what_ingest_would_refuse_is_refused_with_its_code(answering: Answering) -> None:
    found = answering([event("a" * 30_000), event("bee")])
    assert found[0] == "oversized_text"
    assert isinstance(found[1], Event)


def test_blocks_change_no_answer(answering: Answering) -> None:
    rows = [event(text) for text in ("ant", "ant bee cat", "bee", "cat cat", "unknown words")]
    assert answering(rows) == [one for row in rows for one in answering([row])]


def test_a_model_without_the_negative_labels_is_refused(export: Path) -> None:
    with pytest.raises(ConfigError, match="first task tells one of negative, found classification"):
        Answering(export, settings(), int8=False, threads=1)


def test_without_a_model_every_row_has_to_have_its_mood() -> None:
    kept = event("a", "sad")
    assert Given()([kept, event("a")]) == [kept, "no label, and no model was asked"]


def test_texts_of_unknown_words_are_strange(export: Path) -> None:
    look = Pieces(export, 0.3)
    assert look(["ant bee cat", "zzqx wvu qqj"]) == [False, True]
