"""What the ways to learn rare labels come to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from fuseline.data.dataset import NO_LABEL
from fuseline.errors import ConfigError
from fuseline.learning.tasks.classification import BALANCED_ACCURACY, Classification
from fuseline.learning.tasks.imbalance import DRAWS, LOG_PRIORS, WEIGHTS, balance
from tests.support.tasks import cells, params
from tests.support.tiny_models import rows

NAMES = ["ant", "bee", "cat"]
TRAINING = ["ant"] * 12 + ["bee"] * 3 + ["cat"] * 1
COUNTS = np.array([12, 3, 1])
LABELS = torch.tensor([0, 1, 2, 2, 0, NO_LABEL])


def facts(way) -> dict:
    return balance(way, NAMES, TRAINING, "label")


def task(way) -> Classification:
    return Classification("label", {"labels": NAMES} | facts(way))


def test_none_leaves_no_trace():
    assert facts("none") == {}


def test_balanced_weights_are_those_of_scikit_learn():
    assert facts("balanced") == {WEIGHTS: pytest.approx(16 / (3 * COUNTS))}


@pytest.mark.parametrize(
    ("way", "ratios"),
    [
        ({"cat": 5.0}, [1, 1, 5]),
        ({"ant": 0.5, "bee": 2.0}, [0.5, 2, 1]),
        ({"ant": 2.0, "bee": 2.0, "cat": 2.0}, [1, 1, 1]),
    ],
)
def test_of_weights_by_label_only_the_ratios_count(way, ratios):
    weights = np.array(facts(way)[WEIGHTS])
    assert weights / weights[0] == pytest.approx(np.array(ratios) / ratios[0])
    assert (weights * COUNTS).sum() / COUNTS.sum() == pytest.approx(1.0)


def test_the_sampler_makes_labels_come_equally_often():
    draws = np.array(facts("balanced_sampler")[DRAWS])
    assert draws * COUNTS == pytest.approx(np.full(3, 16 / 3))


def test_priors_are_shares_of_the_training_rows():
    assert np.exp(facts("logit_adjustment")[LOG_PRIORS]) == pytest.approx(COUNTS / 16)


@pytest.mark.parametrize("way", ["balanced", "balanced_sampler", "logit_adjustment", {"ant": 2.0}])
def test_a_label_without_training_rows_leaves_all_numbers_finite(way):
    found = balance(way, [*NAMES, "dog"], TRAINING, "label")
    (numbers,) = found.values()
    assert len(numbers) == 4
    assert np.isfinite(numbers).all()


def test_a_label_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(
        ConfigError,
        match=r"finetune\.class_weights\.bea: expected a label of data/examples, label"
        r" \(ant, bee, cat\); found 'bea'\. Did you mean 'bee'\?",
    ):
        balance({"bea": 2.0}, NAMES, TRAINING, "data/examples, label")


def test_the_params_reach_the_facts_by_the_training_rows_alone():
    found = cells("classification")
    asked = params().model_copy(update={"class_weights": "balanced"})
    weights = Classification.settings(asked, found)[WEIGHTS]
    names = Classification.learn(found)["labels"]
    train = found.data.splits == "train"
    values = [v for v, t in zip(found.values, train, strict=True) if t and v is not None]
    assert weights == balance("balanced", names, values, "")[WEIGHTS]
    assert Classification.settings(params(), found) == {}


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_weights_go_with_label_smoothing(smoothing):
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    batch, weighed = {"labels": LABELS}, task("balanced")
    plain = functional.cross_entropy(
        logits, LABELS, reduction="none", label_smoothing=smoothing, ignore_index=NO_LABEL
    )
    weights = torch.tensor([*(16 / (3 * COUNTS)), 1.0], dtype=torch.float32)[LABELS.clamp(-1)]
    found = weighed.training_losses(logits, batch, smoothing=smoothing)
    assert torch.allclose(found, plain * weights)
    assert found[-1] == 0.0
    # Attacks, scores and certainties are of the model as it predicts.
    assert torch.equal(weighed.losses(logits, batch, smoothing=smoothing), plain)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_adjusted_logits_are_those_of_the_paper(smoothing):
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    found = task("logit_adjustment").training_losses(
        logits, {"labels": LABELS}, smoothing=smoothing
    )
    adjusted = logits + torch.tensor(np.log(COUNTS / 16), dtype=torch.float32)
    expected = functional.cross_entropy(
        adjusted, LABELS, reduction="none", label_smoothing=smoothing, ignore_index=NO_LABEL
    )
    assert torch.allclose(found, expected)


@pytest.mark.parametrize(
    ("way", "picked_by"),
    [("none", "macro_f1"), ("balanced", BALANCED_ACCURACY), ("balanced_sampler", BALANCED_ACCURACY),
     ("logit_adjustment", BALANCED_ACCURACY), ({"cat": 2.0}, BALANCED_ACCURACY)],
)  # fmt: skip
def test_the_epoch_is_picked_by_what_was_asked_for(way, picked_by):
    """Macro-F1 would pick an epoch that is sparing with the rare label."""
    made, data = task(way), rows(12)
    outputs = np.eye(3)[[0] * 12]
    scores = made.scores(outputs, data)
    assert made.picked_by == picked_by
    assert set(scores) == {"accuracy", "macro_f1", picked_by}
    if picked_by == BALANCED_ACCURACY:
        assert scores[BALANCED_ACCURACY] == pytest.approx(1 / 3)
