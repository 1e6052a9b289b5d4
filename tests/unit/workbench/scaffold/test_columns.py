"""What each column is guessed to be for; the table is read from top to bottom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fuseline.data.modalities.tabular.columns import guess_kind
from fuseline.workbench.scaffold.columns import guess_columns
from fuseline.workbench.scaffold.profile import Profile

ROWS = 12
PNG, WAV, MP4 = b"\x89PNG\r\n", b"RIFF\0\0\0\0WAVEfmt ", b"\0\0\0\x18ftypmp42"


def fields(root: Path | None = None, **columns: list[Any]) -> dict[str, str | None]:
    profiles = [Profile(name, cells) for name, cells in columns.items()]
    return {guess.column: guess.field for guess in guess_columns(profiles, root)}


def of(*values: Any) -> list[Any]:
    """As many rows as there are, the values in turn."""
    return [values[row % len(values)] for row in range(ROWS)]


def each(form: str) -> list[Any]:
    return [form.format(row) for row in range(ROWS)]


SENTENCES = each("this is sentence number {} of them all")


@pytest.mark.parametrize(
    ("name", "cells", "field"),
    [
        ("x", each("photos/{}.PNG"), "image"),
        ("x", each("{}.flac"), "audio"),
        ("x", each("{}.webm"), "video"),
        ("x", of(PNG), "image"),
        ("x", of({"bytes": WAV, "path": None}), "audio"),
        ("x", of({"bytes": MP4, "path": "x.bin"}), "video"),
        ("x", of({"bytes": None, "path": "a.jpg"}), "image"),
        ("id", each("{}"), "id"),
        ("x", each("A-{}"), "id"),
        ("x", each("{}"), "id"),
        ("id", of("1", "2"), "label"),
        ("salary", [str(1000 + 37 * row**2) for row in range(ROWS)], "tabular"),
        ("x", each("{}.5"), "tabular"),
        ("x", each("2024-01-{:02d}"), "tabular"),
        ("x", each("2024-01-{:02d}T10:00:00Z"), None),
        ("text", each("word {}"), "text"),
        ("x", SENTENCES, "text"),
        ("Sentiment", of("good", "bad"), "label"),
        ("x", of("good", "bad"), "label"),
        ("target", of("0", "1"), "label"),
        ("label", SENTENCES, "text"),
        ("x", of("en", "de", "fr"), "lang"),
        ("x", of("CC BY 4.0", "CC0 1.0"), "license"),
        ("x", each("https://example.org/{}"), "provenance"),
        ("x", of("train", "test"), "split"),
        ("kind", of("Train", None, "VALID"), "split"),
        ("Split", of("train"), "split"),
        ("vehicle", of("train"), None),
        ("x", of("train", "bus"), "tabular"),
        ("x", of("train", "eval"), None),
        ("user_id", of("u1", "u2", "u3"), "group"),
        ("x", of(None), None),
        ("x", of("always"), None),
        ("x", of(["a"]), None),
    ],
)
def test_one_column_beside_a_text_and_a_label(name: str, cells: list[Any], field: str) -> None:
    others = {}
    if field != "text":
        others["body"] = SENTENCES
    if field != "label":
        others["class"] = of("x", "y")
    assert fields(**others, **{name: cells})[name] == field


def test_names_speak_before_values() -> None:
    found = fields(source=of("web", "app"), kind=of("a", "b"), extra=of("c", "d"), text=SENTENCES)
    assert found == {"source": "provenance", "kind": "label", "extra": "tabular", "text": "text"}


def test_last_column_of_few_words_is_the_label() -> None:
    found = fields(a=of("x", "y"), b=of("p", "q"), n=of("1", "2"), text=SENTENCES)
    assert found == {"a": "tabular", "b": "label", "n": "tabular", "text": "text"}


def test_each_field_is_given_once() -> None:
    found = fields(a=each("{}.wav"), b=each("{}.mp3"), id=each("{}"), key=each("k {}"))
    assert found == {"a": "audio", "b": None, "id": "id", "key": None}


def test_texts_and_pictures_may_have_several_columns() -> None:
    found = fields(
        front=each("{}.png"),
        back=each("{}.jpg"),
        title=each("a short title {}"),
        description=SENTENCES,
        premise=of(*(f"{sentence} at all" for sentence in SENTENCES[:4])),
        label=of("x", "y"),
    )
    assert found == {
        "front": "image",
        "back": "image",
        "title": "text",
        "description": "text",
        "premise": "text",
        "label": "label",
    }


def test_who_names_a_text_or_a_picture_has_chosen() -> None:
    profiles = [Profile(name, SENTENCES) for name in ("title", "body")]
    profiles += [Profile(name, each("{}.png")) for name in ("front", "back")]
    told = {"body": "text", "back": "image"}
    found = {guess.column: guess.field for guess in guess_columns(profiles, None, told)}
    assert found == {"title": None, "body": "text", "front": None, "back": "image"}


def test_a_column_of_lists_of_pictures_stays_alone() -> None:
    several = [json.dumps([f"{row}.png", f"{row}b.png"]) for row in range(ROWS)]
    assert fields(photos=several, cover=each("{}.png")) == {"photos": "image", "cover": None}


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        # The last by custom, of those of about as many values.
        ({"a": of("x", "y"), "b": of("p", "q")}, "b"),
        ({"a": of("x", "y"), "b": of("p", "q", "r")}, "b"),
        # Names of many things come last, too.
        ({"a": of("x", "y") * 2, "b": of(*"pqrstuvwxyz") * 2}, "a"),
        ({"a": of(*"abcdef") * 2, "b": of(*"pqrstuvwxyz") * 2}, "b"),
        # And what is nearly always the same.
        ({"a": of("x", "y"), "b": ["p"] * (ROWS - 1) + ["q"]}, "a"),
    ],
)
def test_a_label_has_few_values_that_recur_evenly(
    columns: dict[str, list[str]], label: str
) -> None:
    assert fields(text=SENTENCES, **columns)[label] == "label"


def test_short_texts_are_better_than_nothing() -> None:
    words = each("word{}")
    assert fields(word=words, label=of("x", "y")) == {"word": "text", "label": "label"}


def test_dirt_does_not_hide_what_a_column_is() -> None:
    cells = [*each("{}.5"), *each("{}.25"), "unknown"]
    others = {
        "text": [*SENTENCES, *SENTENCES, "more"],
        "class": [*of("x", "y"), *of("x", "y"), "x"],
    }
    assert fields(price=cells, **others)["price"] == "tabular"


@pytest.mark.parametrize(
    ("cells", "field", "reason"),
    [
        (each("{}.5"), "tabular", "numbers"),
        ([*each("{}.5")[2:], "Infinity", "-inf"], "tabular", "numbers"),
        (each("2024-01-{:02d}")[1:], "tabular", "dates"),
        (each("2024/01/{:02d}")[1:], "tabular", "dates"),
        (each("{},14"), None, "numbers not written like 3.14"),
        (of("3,14", "2,72"), "tabular", "2 different values, numbers not written like 3.14"),
        (each("{:02d}.12.2024")[1:], None, "dates not written like 2024-12-31"),
        (
            of("31.12.2024", "24.12.2024"),
            "tabular",
            "2 different values, dates not written like 2024-12-31",
        ),
    ],
)
def test_only_what_the_features_parse_is_numbers_or_dates(
    cells: list[str], field: str | None, reason: str
) -> None:
    profiles = [Profile("x", cells), Profile("text", SENTENCES), Profile("class", of("x", "y"))]
    guess = guess_columns(profiles, None)[0]
    assert (guess.field, guess.reason) == (field, reason)
    kinds = {"numbers": "numeric", "dates": "date"}
    assert guess_kind(pa.array(cells, pa.string())) == kinds.get(reason, "categorical")


def test_what_is_not_unicode_does_not_stop_a_guess() -> None:
    others = {"text": ["one", *SENTENCES], "class": ["x", *of("x", "y")]}
    assert fields(x=["\ud800", *each("{}.5")], **others)["x"] == "tabular"


def test_reason_tells_how_many_files_are_there(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"")
    (guess, _) = guess_columns([Profile("p", each("{}.png")), Profile("t", SENTENCES)], tmp_path)
    assert guess.reason == "paths to image files, 1 of 12 found"


def test_samples_are_short_and_of_different_values() -> None:
    (guess,) = guess_columns([Profile("text", ["a\n b", "a\n b", "x" * 90, "c", "d"])], None)
    assert guess.samples == ["a b", "x" * 27 + "…", "c"]
