"""What a modality adds, and how sure that is."""

import numpy as np
import pytest

from fuseline.evaluation.scoring.gains import modality_gains
from fuseline.learning.tasks.scores import scores

CLASSES = 3


def gains(labels, predicted, **without):
    return modality_gains(labels, predicted, without, CLASSES, num_resamples=400, seed=0)


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, CLASSES, 300)


def spoilt(labels, share):
    wrong = np.random.default_rng(1).random(len(labels)) < share
    return np.where(wrong, (labels + 1) % CLASSES, labels)


def test_a_gain_is_the_difference_of_the_figures(labels):
    predicted, gone = spoilt(labels, 0.1), spoilt(labels, 0.5)
    found = gains(labels, predicted, text=gone)["text"]
    whole, less = scores(labels, predicted, CLASSES), scores(labels, gone, CLASSES)
    for name in ("accuracy", "macro_f1"):
        assert found[name]["value"] == pytest.approx(whole[name] - less[name])
        assert 0 < found[name]["low"] < found[name]["value"] < found[name]["high"] < 1


def test_a_modality_that_does_harm_lies_below_zero(labels):
    found = gains(labels, spoilt(labels, 0.4), image=labels)
    assert found["image"]["accuracy"]["high"] < 0


def test_a_modality_that_changes_nothing_adds_nothing(labels):
    predicted = spoilt(labels, 0.3)
    found = gains(labels, predicted, image=predicted)
    assert found["image"]["accuracy"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_rows_are_paired():
    """Two rows in a hundred apart: as shares of their own both would have wide intervals."""
    labels = np.zeros(100, dtype=np.int64)
    gone = np.where(np.arange(100) < 50, 1, 0)
    predicted = np.where(np.arange(100) < 48, 1, 0)
    found = gains(labels, predicted, text=gone)["text"]["accuracy"]
    assert found["value"] == pytest.approx(0.02)
    assert found["high"] - found["low"] < 0.06


def test_a_single_modality_has_no_gain(labels):
    assert gains(labels, labels) == {}


def test_the_seed_fixes_the_interval(labels):
    predicted, gone = spoilt(labels, 0.1), spoilt(labels, 0.3)
    assert gains(labels, predicted, text=gone) == gains(labels, predicted, text=gone)
