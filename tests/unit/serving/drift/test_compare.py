"""Planted drifts are found, and none is where nothing moved."""

from __future__ import annotations

import numpy as np
import pytest

from fuseline.serving.drift.compare import (
    MAX_EXACT_ROWS,
    MIN_ROWS,
    Share,
    compare,
    smallest_move,
)
from fuseline.serving.drift.tally import Tally
from fuseline.serving.scores import Score

LABELS = np.array(["ant", "bee", "cat", "dog"])
MODALITIES = ["text", "image"]
ALARMS = 0.05


def rows(
    number: int,
    generator: np.random.Generator,
    *,
    labels=(0.5, 0.3, 0.15, 0.05),
    confidence: float = 8.0,
    outside: float = 0.05,
    image: float = 0.7,
) -> list[Score]:
    """Rows of a population."""
    drawn = zip(
        generator.choice(LABELS, number, p=labels),
        generator.beta(confidence, 1.5, number).round(6),
        generator.random(number) < outside,
        generator.random(number) < image,
        strict=True,
    )
    return [
        Score(
            weights="w",
            format="onnx",
            label=str(label),
            confidence=float(sure),
            sure=bool(sure > 0.7),
            out_of_scope=0.99 if outside else 0.5,
            in_scope=not outside,
            present=["text", "image"] if image else ["text"],
        )
        for label, sure, outside, image in drawn
    ]


def moved(log: list[Score], test: list[Score], alarms: float = ALARMS) -> set[str]:
    found = compare(Tally.of(log), Tally.of(test), MODALITIES, alarms)
    return {one.of or one.name for one in found if one.moved}


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ({"labels": (0.2, 0.3, 0.15, 0.35)}, {"labels"}),
        ({"confidence": 3.0}, {"confidence"}),
        ({"outside": 0.25}, {"out_of_scope"}),
        ({"image": 0.4}, {"image"}),
        ({"image": 0.0}, {"image"}),
        ({"outside": 0.3, "confidence": 2.0}, {"out_of_scope", "confidence"}),
    ],
)
def test_each_planted_drift_is_found_and_no_other(planted, found):
    generator = np.random.default_rng(3)
    assert moved(rows(400, generator, **planted), rows(300, generator)) == found


@pytest.mark.parametrize("sizes", [(60, 60), (400, 200)])
def test_without_drift_alarms_are_as_rare_as_stated(sizes):
    """Log and test rows of one population; 0.05 and three deviations of 400 looks above it."""
    generator = np.random.default_rng(11)
    looks = 400
    alarms = sum(bool(moved(*(rows(n, generator) for n in sizes))) for _ in range(looks))
    assert alarms / looks <= ALARMS + 3 * np.sqrt(ALARMS * (1 - ALARMS) / looks)


def test_resamples_of_the_test_rows_raise_no_more_alarms_than_stated():
    generator = np.random.default_rng(5)
    test = rows(250, generator)
    looks = 200
    alarms = 0
    for _ in range(looks):
        again = [test[place] for place in generator.integers(0, len(test), len(test))]
        alarms += bool(moved(again, test))
    assert alarms / looks <= ALARMS


def test_of_few_rows_nothing_is_said_however_far_they_lie():
    generator = np.random.default_rng(0)
    far = rows(MIN_ROWS - 1, generator, labels=(0, 0, 0, 1), outside=1.0)
    found = compare(Tally.of(far), Tally.of(rows(200, generator)), MODALITIES, ALARMS)
    assert not any(one.moved for one in found)
    assert {(one.p_value, one.why) for one in found} == {(None, f"fewer than {MIN_ROWS} rows")}
    one_more = far + rows(1, generator, labels=(0, 0, 0, 1), outside=1.0)
    assert {"labels", "out_of_scope"} <= moved(one_more, rows(200, generator))


def test_what_is_alike_in_all_rows_is_not_tested_and_costs_nothing():
    generator = np.random.default_rng(0)
    found = compare(*(Tally.of(rows(50, generator)) for _ in range(2)), MODALITIES, ALARMS)
    by_name = {one.of or one.name: one for one in found}
    assert by_name["text"].p_value is None
    assert by_name["text"].why == "every row of both"
    assert not by_name["text"].moved


def test_rare_labels_are_counted_together():
    """A label that one row in all has is no drift, a hundred of them at once are one."""
    generator = np.random.default_rng(0)
    test = rows(300, generator, labels=(1, 0, 0, 0))
    one = test[0].model_copy(update={"label": "zebra"})
    assert moved([*test, one], test) == set()
    others = rows(100, generator)
    many = [row.model_copy(update={"label": f"z{n}"}) for n, row in enumerate(others)]
    assert moved([*test, *many], test) == {"labels"}


def test_a_model_without_classes_is_compared_by_scope_and_presence():
    bare = {"label": None, "confidence": None, "sure": None}
    generator = np.random.default_rng(0)
    log, test = (
        [row.model_copy(update=bare) for row in rows(200, generator, outside=share)]
        for share in (0.4, 0.05)
    )
    found = compare(Tally.of(log), Tally.of(test), MODALITIES, ALARMS)
    assert [one.name for one in found] == ["out_of_scope", "presence", "presence"]
    assert found[0].moved


def test_shares_and_medians_are_those_of_the_rows():
    generator = np.random.default_rng(0)
    log, test = rows(400, generator, confidence=3.0), rows(300, generator)
    found = {
        one.of or one.name: one for one in compare(Tally.of(log), Tally.of(test), ["image"], 0.05)
    }
    (image,) = found["image"].pairs
    assert image.log.count == sum("image" in row.present for row in log)
    unsure, gap = found["confidence"].pairs
    assert (unsure.name, unsure.test.count) == ("not sure", sum(not row.sure for row in test))
    middle = sorted(row.confidence for row in log)[199]
    assert found["confidence"].medians[0] == middle
    at = float(gap.name.removeprefix("up to "))
    near = [sum(row.confidence <= at + 5e-3 for row in some) for some in (log, test)]
    assert abs(gap.log.count - near[0]) <= 20 and gap.moved_by > 0.2


@pytest.mark.parametrize("number", [MAX_EXACT_ROWS, MAX_EXACT_ROWS + 1])
def test_long_logs_are_compared_by_the_same_test(number):
    generator = np.random.default_rng(1)
    log, test = rows(number, generator), rows(200, generator)
    (found,) = [
        one
        for one in compare(Tally.of(log), Tally.of(test), [], ALARMS)
        if one.name == "confidence"
    ]
    assert 0.05 < found.p_value <= 1.0


def test_a_share_has_the_interval_of_wilson():
    low, high = Share(5, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.237, 0.763)
    assert Share(0, 0).interval == (0.0, 1.0)


def test_a_move_of_the_size_that_is_told_is_found_about_every_second_time():
    generator = np.random.default_rng(2)
    size, looks = 300, 60
    tallies = [Tally.of(rows(size, generator, image=0.5)) for _ in range(2)]
    by = smallest_move(*tallies, 5, ALARMS)
    found = sum(
        "image" in moved(rows(size, generator, image=0.5 + by), rows(size, generator, image=0.5))
        for _ in range(looks)
    )
    assert 0.25 < found / looks < 0.8
