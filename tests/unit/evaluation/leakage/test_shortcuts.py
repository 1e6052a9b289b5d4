from __future__ import annotations

import pytest

from fuseline.evaluation.leakage.rows import name_shape, read_compared_rows
from fuseline.evaluation.leakage.shortcuts import (
    SHORTCUTS,
    majority_accuracy,
    try_columns,
    try_shortcuts,
)
from tests.unit.evaluation.leakage.conftest import MakeTables, png

LABELS = ["cat", "dog"]


def row(place: int, **changes):
    return {
        "split": "test" if place % 3 == 0 else "train",
        "text": f"text {place % 7}",
        "label": LABELS[place // 3 % 2],
    } | changes


def balanced(make_tables: MakeTables, telling=lambda _label, _place: {}, num_rows: int = 60):
    rows = [row(place) for place in range(num_rows)]
    return make_tables([one | telling(one["label"], place) for place, one in enumerate(rows)])


TELLING = {
    "text_length": lambda label, _: {"text": "x" * (5 if label == "cat" else 50)},
    "language": lambda label, _: {"lang": "en" if label == "cat" else "de"},
    "presence": lambda label, _: {"audio": {"bytes": b"x", "path": None}} if label == "cat" else {},
    "image_size": lambda label, _: {"image": png(20 if label == "cat" else 40)},
    "media_bytes": lambda label, _: {
        "video": {"bytes": b"x" * (9 if label == "cat" else 99), "path": None}
    },
    "media_name": lambda label, place: {"audio": {"bytes": b"x", "path": f"{label}s/{place}.wav"}},
    "source_row": lambda label, place: {"source_row": place + (0 if label == "cat" else 1000)},
    "id_shape": lambda label, place: {"example_id": f"{label}-{place:04d}"},
    "license": lambda label, _: {"license": "MIT" if label == "cat" else "CC0"},
    "provenance": lambda label, _: {"provenance": label},
}


@pytest.mark.parametrize("name", [name for name in SHORTCUTS if name != "image_format"])
def test_a_fact_that_gives_the_label_away_is_caught(make_tables, name):
    found = try_shortcuts(read_compared_rows(balanced(make_tables, TELLING[name]).examples, 100))
    assert found[name].accuracy == 1.0
    assert found[name].gain == 1.0


def test_facts_that_say_nothing_gain_nothing(make_tables):
    found = try_shortcuts(read_compared_rows(balanced(make_tables).examples, 100))
    assert found.keys() == SHORTCUTS.keys()
    assert {name: one.gain for name, one in found.items() if one.gain > 0.3} == {}


def test_the_format_of_a_picture_counts(make_tables):
    import io

    from PIL import Image

    def telling(label, place):
        buffer = io.BytesIO()
        Image.new("RGB" if label == "cat" else "L", (9, 9)).save(buffer, "PNG")
        return {"image": {"bytes": buffer.getvalue(), "path": None}}

    found = try_shortcuts(read_compared_rows(balanced(make_tables, telling).examples, 100))
    assert found["image_format"].gain == 1.0


def test_columns_are_tried_one_by_one_as_numbers_or_names(make_tables):
    def telling(label, place):
        cells = {
            "score": str(place % 5 + (100 if label == "cat" else 0)),
            "colour": "red" if label == "cat" else "blue",
            "noise": str(place * 7919 % 13),
            "mostly empty": None if place % 4 else "7",
        }
        return {"tabular": list(cells.items())}

    found = try_columns(read_compared_rows(balanced(make_tables, telling).examples, 100))
    assert list(found)[:2] == ["colour", "score"]
    assert [found[name].gain for name in ("colour", "score")] == [1.0, 1.0]
    assert found["noise"].gain < 0.5
    assert found["mostly empty"].gain < 0.5


def test_the_gain_is_over_the_commonest_label(make_tables):
    """Three quarters of the rows are cats; guessing cat is no gain."""
    rows = [row(place, label="dog" if place // 3 % 4 == 0 else "cat") for place in range(60)]
    compared = read_compared_rows(make_tables(rows).examples, 100)
    assert majority_accuracy(compared) == pytest.approx(0.75)
    language = try_shortcuts(compared)["language"]
    assert (language.accuracy, language.gain) == (pytest.approx(0.75), 0.0)


def test_unlabelled_rows_give_zeros(make_tables):
    rows = [row(place, label=None) for place in range(12)]
    found = try_shortcuts(read_compared_rows(make_tables(rows).examples, 100))
    assert {one.accuracy for one in found.values()} == {0.0}


def test_digits_of_names_become_one_sign():
    assert name_shape("img_0012/v2.png") == name_shape("img_7/v13.png") == "img_#/v#.png"


@pytest.mark.parametrize("extreme", ["inf", "-Infinity", "1e39", "1" * 45])
def test_extreme_numbers_are_numbers(make_tables, extreme):
    def telling(label, place):
        price = extreme if place == 1 else str(float(label == "cat"))
        return {"tabular": {"price": price}}

    rows = read_compared_rows(balanced(make_tables, telling).examples, 100)
    assert try_columns(rows)["price"].gain > 0.8
