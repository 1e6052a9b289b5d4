"""Labels, losses and figures of one label each, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fuseline.data.dataset import NO_LABEL
from fuseline.errors import ContractError
from fuseline.learning.tasks.classification import Classification
from tests.support.tasks import cells
from tests.support.tiny_models import rows


def task() -> Classification:
    return Classification("mood", {"labels": ["bad", "good", "so-so"]})


def test_names_are_those_of_all_rows_in_order():
    found = cells("classification", 4, values=["so-so", None, "bad", "good"])
    assert Classification.learn(found) == {"labels": ["bad", "good", "so-so"]}
    assert task().labels(found).tolist() == [2, NO_LABEL, 0, 1]


def test_one_name_is_nothing_to_learn():
    with pytest.raises(
        ContractError, match=r"^examples, it: expected at least two labels to tell apart, found 1\."
    ):
        Classification.learn(cells("classification", 3, values=["bad", None, "bad"]))


def test_an_unknown_name_is_an_error():
    found = cells("classification", 3, values=["bad", None, "ugly"])
    with pytest.raises(
        ContractError, match=r"row 'row-002' has label 'ugly', .*\(it knows bad, good, so-so\)"
    ):
        task().labels(found)


def test_smoothed_cross_entropy():
    """A share is spread over all classes, the right one too (Szegedy et al. 2016)."""
    logits = torch.tensor([[math.log(2.0), 0.0, 0.0], [1.0, 2.0, 3.0]])
    batch = {"labels": torch.tensor([0, NO_LABEL])}
    plain = task().losses(logits, batch)
    assert plain.tolist() == pytest.approx([math.log(2), 0.0])
    smooth = task().losses(logits, batch, smoothing=0.3)
    other = math.log(4)
    assert smooth.tolist() == pytest.approx([0.8 * math.log(2) + 0.2 * other, 0.0])


def test_figures_leave_rows_without_a_label_out():
    data = replace(rows(4), labels=np.array([0, 1, NO_LABEL, 1]))
    outputs = np.eye(3)[[0, 0, 2, 1]]
    # `bad`: precision 1/2, recall 1; `good`: precision 1, recall 1/2; `so-so` is in no row.
    assert task().scores(outputs, data) == pytest.approx({"accuracy": 2 / 3, "macro_f1": 2 / 3})
    assert task().spelt(outputs, data) == (
        ["bad", "good", "", "good"], ["bad", "bad", "so-so", "good"]
    )  # fmt: skip
    assert task().report(outputs, data).endswith("without rows, so left out: so-so")


def test_many_labels_are_not_listed_at_every_epoch():
    names = [f"label {number}" for number in range(21)]
    data = replace(rows(4), labels=np.arange(4))
    for known, listed in ((names[:20], True), (names, False)):
        report = Classification("mood", {"labels": known}).report(np.eye(len(known))[:4], data)
        assert ("label 3" in report) == listed
        assert "accuracy" in report
