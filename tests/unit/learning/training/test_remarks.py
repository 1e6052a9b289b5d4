"""What is said of curves that end badly, and that nothing is said of ordinary ones."""

from __future__ import annotations

import pytest

from fuseline.learning.training.history import WENT_BACK
from fuseline.learning.training.remarks import remarks_on, told_remarks


def curve(name: str, values: list[float], **more: list[float]) -> list[dict[str, float]]:
    columns = {name: values} | more
    return [
        {"epoch": epoch + 1.0} | {f"eval_{key}": column[epoch] for key, column in columns.items()}
        for epoch in range(len(values))
    ]


EXPLODED = [
    ("loss", [1.1, 0.9, 45_561.0], r"loss is 45,561 in epoch 3 (lowest 0.9)"),
    ("loss", [45_561.0, 45_560.0, 45_561.0], "loss is 45,561 in epoch 1"),
    ("loss", [45_561.0, 0.4, 0.3], "loss is 45,561 in epoch 1"),
    ("loss", [0.5, 12.0, 0.4], "loss is 12 in epoch 2"),
    ("loss", [2.0, 30.0, 25.0], "loss is 30 in epoch 2"),
    ("price_loss", [0.5, 0.4, 1e9], "price loss is 1e+09 in epoch 3"),
    ("contrastive_loss", [3.0, 3.0, 150.0], "contrastive loss is 150 in epoch 3"),
]


@pytest.mark.parametrize(("name", "values", "message"), EXPLODED)
@pytest.mark.parametrize("stage", ["pretrain", "finetune", "adversarial_finetune"])
def test_a_loss_that_explodes_is_told(stage, name, values, message):
    (sentence,) = remarks_on(stage, curve(name, values))
    assert message in sentence
    assert f"Lower {stage}.training.learning_rate" in sentence


ORDINARY = [
    ("loss", [9.4, 5.0, 2.0, 0.4]),  # a vocabulary's logarithm, before anything is learnt
    ("loss", [0.05, 0.01, 0.4]),
    ("loss", [0.9, 1.2, 1.9, 3.0]),
    ("loss", [40.0, 2.0, 1.0]),
    ("accuracy", [0.8176, 0.8436, 0.8990, 0.8958, 0.8990, 0.9023, 0.8990, 0.8990]),
    ("accuracy", [0.9, 0.6, 0.88]),
    ("accuracy", [0.9, 0.851]),
    ("right", [0.3]),
    ("right", []),
]


@pytest.mark.parametrize(("name", "values"), ORDINARY)
def test_of_an_ordinary_curve_nothing_is_said(name, values):
    assert remarks_on("finetune", curve(name, values)) == []


FALLEN = [
    ("accuracy", [0.79, 0.80, 0.815, 0.78, 0.75, 0.728], "0.815 in epoch 3 to 0.728 in epoch 6"),
    ("accuracy", [0.5, 0.45], "0.500 in epoch 1 to 0.450 in epoch 2"),
    ("right", [0.6, 0.7, 0.2], "right fell from 0.700 in epoch 2 to 0.200 in epoch 3"),
    ("clean_and_robust", [0.5, 0.7, 0.6], "clean and robust fell from 0.700 in epoch 2"),
]


@pytest.mark.parametrize(("name", "values", "message"), FALLEN)
@pytest.mark.parametrize("stage", ["finetune", "adversarial_finetune"])
def test_a_score_that_falls_behind_its_best_epoch_is_told(stage, name, values, message):
    (sentence,) = remarks_on(stage, curve(name, values, loss=[1.0] * len(values)))
    assert message in sentence
    for key in ("learning_rate", "encoder_learning_rate", "num_epochs"):
        assert f"{stage}.training.{key}" in sentence


def test_an_adversarial_run_may_give_clean_rows_for_robust_ones():
    falling = curve("accuracy", [0.9, 0.8], clean_and_robust=[0.5, 0.65])
    assert remarks_on("adversarial_finetune", falling) == []


@pytest.mark.parametrize("stage", ["finetune", "adversarial_finetune"])
def test_where_training_went_back_is_told(stage):
    history = curve("accuracy", [0.8, 0.6, 0.5, 0.82])
    for figures in history[1:3]:
        figures[WENT_BACK] = 1.0
    (sentence,) = remarks_on(stage, history)
    assert sentence.startswith("After epoch 2 and 3 the development score lay more than")
    assert f"{stage}.training.max_fall below its best" in sentence
    assert f"Lower {stage}.training.learning_rate" in sentence


def test_several_are_told_each_by_itself(capsys):
    found = told_remarks("finetune", curve("accuracy", [0.9, 0.2], loss=[0.5, 400.0]))
    assert len(found) == 2
    assert capsys.readouterr().out.splitlines() == [f"finetune: {one}" for one in found]
