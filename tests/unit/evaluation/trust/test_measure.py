"""The figures of trust together, down to the smallest data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins
from fuseline.evaluation.trust.measure import Judged, Trust, measure_trust
from fuseline.learning.probabilities import softmax
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.multilabel import Multilabel
from fuseline.learning.tasks.prediction import Predicted
from fuseline.learning.tasks.regression import Regression
from fuseline.learning.tasks.retrieval import Retrieval
from fuseline.params.evaluate import EvaluateParams
from tests.support.evaluation_params import AUDIT, PIXELS

PARAMS = EvaluateParams.model_validate(
    {
        "batch_size": 4,
        "num_calibration_bins": 5,
        "generation": {
            "num_beams": 1, "length_penalty": 1.0, "sample": False, "temperature": 1.0,
            "top_p": 1.0,
        },
        "robustness": {
            "attack": {
                "kind": "pgd", "norm": "l2", "per": "position", "epsilon": {"image_feature": 1.0},
                "num_steps": 1, "step_size": 0.5, "random_start": False,
            },
            "num_restarts": 1,
            "curve_restarts": 1,
            "scales": [1.0, 2.0],
            "audit": AUDIT,
            "image_pixel": PIXELS,
        },
        "trust": {"num_resamples": 40, "target_risk": 0.1, "slices": [], "min_slice_rows": 3},
    }
)  # fmt: skip


def predicted(make_data, num_rows: int, num_classes: int, logits: np.ndarray | None) -> Predicted:
    data = make_data(max(num_rows, 1), num_classes).take(np.arange(num_rows))
    if logits is None:
        generator = np.random.default_rng(num_rows)
        logits = (
            3 * generator.normal(size=(num_rows, num_classes)) + np.eye(num_classes)[data.labels]
        )
    logits = logits.astype(np.float32)
    return Predicted(data, logits, np.zeros(num_rows), logits.argmax(-1) == data.labels)


def classified(make_data, num_test=30, num_dev=20, num_classes=3, logits=None) -> Judged:
    test = predicted(make_data, num_test, num_classes, logits)
    dev = predicted(make_data, num_dev, num_classes, None)
    attacked = Attacked(test.right, test.outputs)
    task = Classification("label", {"labels": test.data.label_names})
    return Judged(task, test, dev, attacked)


def measured(judged: Judged) -> Trust:
    found = measure_trust(judged, {"lang": ["en"] * len(judged.test.data)}, PARAMS, seed=0)
    json.dumps([found.figures, found.bins, found.risks], allow_nan=False)
    return found


def test_clean_figures_are_those_of_the_predictions(make_data):
    judged = classified(make_data)
    found = measured(judged)
    bins = reliability_bins(softmax(judged.test.outputs), judged.test.data.labels, 5)
    figures = found.figures["calibration"]
    assert figures["clean"]["ece"] == expected_calibration_error(bins)
    assert figures["calibrated"]["nll"] < figures["clean"]["nll"]
    assert figures["attack"] == figures["clean"], "nothing was attacked"
    assert figures["dev_rows"] == 20
    assert [one["condition"] for one in found.bins] == [
        *(["clean"] * 5 + ["calibrated"] * 5 + ["attack"] * 5)
    ]
    assert {one["condition"] for one in found.risks} == {"clean", "attack"}
    assert set(found.figures["intervals"]) == {
        *("accuracy", "macro_f1", "ece", "ece_raw", "robust_accuracy", "attack_success_rate")
    }


def test_the_headline_error_is_the_calibrated_one_and_the_raw_one_stands_beside_it(make_data):
    """Sure logits, half of them wrong: only the temperature brings confidence and accuracy near."""
    generator = np.random.default_rng(3)
    tests = []
    for num_rows in (60, 80):
        labels = make_data(num_rows, 3).labels
        said = np.where(generator.random(num_rows) < 0.5, labels, (labels + 1) % 3)
        tests.append(predicted(make_data, num_rows, 3, 12.0 * np.eye(3)[said]))
    test, dev = tests
    task = Classification("label", {"labels": test.data.label_names})
    found = measured(Judged(task, test, dev, Attacked(test.right, test.outputs)))
    figures, by_condition = found.figures, found.figures["calibration"]
    assert figures["ece"] == by_condition["calibrated"]["ece"] < 0.2
    assert figures["ece_raw"] == by_condition["clean"]["ece"] > 0.3
    assert found.temperature == by_condition["temperature"] > 3
    for name in ("ece", "ece_raw"):
        interval = figures["intervals"][name]
        assert interval["low"] <= figures[name] <= interval["high"]


def test_what_an_attack_broke_shows_in_calibration_and_risk(make_data):
    judged = classified(make_data)
    rows = np.flatnonzero(judged.test.right)
    sure_and_wrong = np.full((len(rows), 3), 0.0, dtype=np.float32)
    wrong = (judged.test.data.labels[rows] + 1) % 3
    sure_and_wrong[np.arange(len(rows)), wrong] = 9.0
    logits = judged.test.outputs.copy()
    logits[rows] = sure_and_wrong
    attacked = Attacked(np.zeros(30, dtype=bool), logits)
    found = measured(Judged(judged.task, judged.test, judged.dev, attacked)).figures
    assert found["calibration"]["attack"]["ece"] > found["calibration"]["clean"]["ece"]
    assert found["selective"]["attack"]["aurc"] == 1.0
    interval = found["intervals"]["robust_accuracy"]
    assert interval["low"] == 0.0
    assert 0.1 < interval["high"] < 0.12


def test_a_model_without_right_rows_says_nothing_of_success(make_data):
    wrong = -9.0 * np.eye(3)[make_data(9, 3).labels]
    found = measured(classified(make_data, 9, logits=wrong)).figures["intervals"]
    assert found["attack_success_rate"] == {"low": 0.0, "high": 1.0}
    assert found["accuracy"]["low"] == found["robust_accuracy"]["low"] == 0.0
    assert 0.2 < found["accuracy"]["high"] < 0.4


@pytest.mark.parametrize("num_classes", [1, 2, 7])
@pytest.mark.parametrize("num_test", [1, 4])
@pytest.mark.parametrize("num_dev", [0, 1])
def test_the_smallest_data_give_finite_figures_of_the_same_keys(
    make_data, num_test, num_dev, num_classes
):
    found = measured(classified(make_data, num_test, num_dev, num_classes)).figures
    usual = measured(classified(make_data)).figures
    for name in ("calibration", "selective", "intervals"):
        assert set(found[name]) == set(usual[name])
    if not num_dev:
        assert found["calibration"]["temperature"] == 1.0
        assert found["selective"]["clean"]["coverage"] == 0.0


def test_constant_predictions_are_no_special_case(make_data):
    found = measured(classified(make_data, logits=np.tile([1.0, 0.0, 0.0], (30, 1)))).figures
    share = found["selective"]["clean"]["aurc"]
    assert share == pytest.approx(1 - found["slices"]["lang"]["slices"][0]["accuracy"])


def test_another_task_has_intervals_and_slices_alone(make_data):
    labels = np.arange(30) / 30
    data = make_data(30, labels=labels, label_names=[])
    right = np.arange(30) < 20
    test = Predicted(data, labels + 0.1, np.zeros(30), right)
    task = Regression("price", {"mean": 0.0, "deviation": 1.0})
    attacked = Attacked(right, None)
    attacked.standing = np.arange(30) < 10
    found = measured(Judged(task, test, test, attacked))
    assert set(found.figures) == {"intervals", "slices"}
    assert (found.bins, found.risks) == ([], [])
    assert set(found.figures["intervals"]) == {
        *("rmse", "mae", "r2", "robust_accuracy", "attack_success_rate")
    }
    (only,) = found.figures["slices"]["lang"]["slices"]
    assert only["rmse"] == pytest.approx(0.1)
    assert only["right"] == pytest.approx(2 / 3)
    assert only["intervals"]["right"]["low"] == pytest.approx(0.488, abs=0.001)


@pytest.mark.parametrize("all_right", [True, False])
def test_whole_sets_that_are_all_right_or_all_wrong_have_an_interval(make_data, all_right):
    labels = np.eye(3)[np.arange(12) % 3].astype(np.float32)
    data = make_data(12, labels=labels, label_names=["a", "b", "c"])
    right = np.full(12, all_right)
    outputs = np.where(labels > 0, 5.0, -5.0) * (1 if all_right else -1)
    task = Multilabel("topics", {"labels": ["a", "b", "c"]})
    test = Predicted(data, outputs, np.zeros(12), right)
    found = measured(Judged(task, test, test, Attacked(right, None))).figures["intervals"]
    for name in ("subset_accuracy", "macro_f1", "micro_f1", "robust_accuracy"):
        assert 0.2 < found[name]["high"] - found[name]["low"] < 0.3, name


def test_rows_that_answer_one_another_have_neither(make_data):
    data = make_data(6)
    test = Predicted(data, np.zeros((6, 2, 4)), np.zeros(6), np.ones(6, dtype=bool))
    task = Retrieval("retrieval", {"modalities": ["text", "image"]})
    assert measured(Judged(task, test, test, Attacked(test.right, None))) == Trust({})
