"""Tests of differences against closed forms and planted ones."""

from __future__ import annotations

import numpy as np
import pytest

from fuseline.workbench.comparing.predictions import Predictions
from fuseline.workbench.comparing.significance import Pair, encode

ROWS = 200


def texts(values: np.ndarray) -> np.ndarray:
    return np.array([str(value) for value in values], dtype=str)


def pair(task: str, labels: np.ndarray, first: np.ndarray, other: np.ndarray) -> Pair:
    ids = texts(np.arange(len(labels)))
    classes = sorted(set(texts(labels)) - {""})
    found = encode(
        task,
        classes,
        Predictions(ids, texts(labels), texts(first)),
        Predictions(ids, texts(labels), texts(other)),
    )
    assert found is not None
    return found


def test_a_planted_gain_of_macro_f1_is_found() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, ROWS)
    noisy = np.where(generator.random(ROWS) < 0.4, (labels + 1) % 4, labels)
    better = np.where(generator.random(ROWS) < 0.5, labels, noisy)
    found = pair("classification", labels, noisy, better).difference("macro_f1")
    assert 0 < found.low < found.value < found.high
    assert found.p_value < 0.01
    back = pair("classification", labels, better, noisy).difference("macro_f1")
    assert back.value == pytest.approx(-found.value)
    assert back.p_value < 0.01


def test_equally_good_models_are_rarely_told_apart() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, ROWS)
    small = []
    for _ in range(20):
        one, two = (
            np.where(generator.random(ROWS) < 0.3, (labels + 1) % 3, labels) for _ in range(2)
        )
        small.append(pair("classification", labels, one, two).difference("macro_f1").p_value < 0.05)
    assert sum(small) <= 4


def test_numbers_are_compared_by_their_errors() -> None:
    generator = np.random.default_rng(2)
    labels = generator.normal(size=ROWS)
    rough, fine = labels + generator.normal(size=ROWS), labels + 0.3 * generator.normal(size=ROWS)
    compared = pair("regression", labels, rough, fine)
    assert compared.is_of("mae", float(np.abs(labels - rough).mean()), np.abs(labels - fine).mean())
    found = compared.difference("rmse")
    assert found.value < 0
    assert found.high < 0
    assert found.p_value < 0.01


def test_rows_without_a_label_are_left_out() -> None:
    labels = np.array(["a", "", "b", "a"])
    compared = pair("classification", labels, np.array(["a", "a", "b", "b"]), np.array(["a"] * 4))
    assert compared.difference("accuracy").rows == 3


def test_whole_sets_are_right_or_wrong() -> None:
    labels = np.array(["a|b", "b", "a"])
    compared = pair("multilabel", labels, np.array(["a|b", "a", "a"]), labels)
    assert compared.difference("subset_accuracy").value == pytest.approx(1 / 3)


def test_tasks_whose_rows_say_nothing_alone_are_not_paired() -> None:
    ids = np.array(["1"])
    table = Predictions(ids, ids, ids)
    assert encode("retrieval", [], table, table) is None
