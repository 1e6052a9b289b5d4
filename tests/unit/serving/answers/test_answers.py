import numpy as np
import pytest

from fuseline.learning.tasks import TASKS
from fuseline.serving.answers import ANSWERS
from fuseline.serving.answers.base import Answered
from fuseline.serving.contract import Certainty, ExportedTask

LABELS = ["ant", "bee", "cat"]
SURE = Certainty(
    temperature=2.0, threshold=0.6, target_risk=0.05, coverage=0.9, quantiles=[0.7] * 3
)


def task(kind, facts=None, by_modality=None):
    return ExportedTask(
        name="label",
        kind=kind,
        facts=facts if facts is not None else {"labels": LABELS},
        output="task_0",
        by_modality=by_modality or {},
    )


def answered(kind, outputs, certainty=None, present=None, *, with_all=False, **entry):
    rows = len(next(iter(outputs.values())))
    given = Answered([{"text": "a"}] * rows, ["a"] * rows, outputs, present or {}, [[]] * rows)
    answer = ANSWERS[kind](task(kind, **entry), certainty, with_all=with_all)
    found = answer.columns(given)
    assert list(found) == [field.name for field in answer.fields]
    assert all(len(values) == rows for values in found.values())
    return found


def test_every_task_has_an_answer():
    assert set(ANSWERS) == set(TASKS)


def test_a_class_its_certainty_and_what_each_modality_says():
    logits = np.array([[4.0, 0.0, 0.0], [1.0, 0.8, 0.0]], dtype=np.float32)
    outputs = {"task_0": list(logits), "t": list(logits[::-1]), "i": list(logits)}
    present = {"text": np.array([True, True]), "image": np.array([True, False])}
    found = answered(
        "classification",
        outputs,
        SURE,
        present,
        with_all=True,
        by_modality={"text": "t", "image": "i"},
    )
    assert found["label"] == ["ant", "ant"]
    # Temperature 2 halves the logits.
    assert found["probability"][0] == pytest.approx(np.exp(2) / (np.exp(2) + 2), abs=1e-6)
    assert found["sure"] == [True, False]
    assert found["set"] == [["ant"], ["ant", "bee"]]
    assert found["text_label"] == ["ant", "ant"]
    assert found["image_label"] == ["ant", None]
    assert found["image_probability"][1] is None
    shares = dict(found["probabilities"][1])
    assert list(shares) == LABELS
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-5)


def test_a_class_without_development_rows_has_no_certainty():
    found = answered("classification", {"task_0": [np.array([0.0, 1.0, 0.0])]})
    assert list(found) == ["label", "probability"]


def test_names_above_one_half():
    found = answered("multilabel", {"task_0": [np.array([1.0, -1.0, 0.1]), -np.ones(3)]})
    assert found["labels"] == [["ant", "cat"], []]
    assert found["label_probabilities"][0] == [pytest.approx(0.731059), pytest.approx(0.524979)]


def test_a_number_in_its_own_unit():
    facts = {"mean": 1_000_000.0, "deviation": 250.0}
    found = answered("regression", {"task_0": [np.array([2.0], np.float32)]}, facts=facts)
    assert found["value"] == [1_000_500.0]


def test_a_rating_between_0_and_1():
    found = answered("ranking", {"task_0": [np.array([0.0], np.float32)]}, facts={})
    assert found["score"] == [0.5]


def test_vectors_of_the_modalities_that_are_there():
    facts = {"modalities": ["text", "image"]}
    present = {"text": np.array([True]), "image": np.array([False])}
    given = {"task_0": [np.array([[1.0, 0.0], [0.0, 1.0]])]}
    found = answered("retrieval", given, None, present, facts=facts)
    assert found == {"text_vector": [[1.0, 0.0]], "image_vector": [None]}


def written(facts, *texts):
    given = Answered(
        [{"text": "a"}] * len(texts), ["a"] * len(texts), {}, {}, [], {"task_0": texts}
    )
    answer = ANSWERS["generation"](task("generation", facts), None, with_all=False)
    found = answer.columns(given)
    assert list(found) == [field.name for field in answer.fields]
    return found


def test_a_text_that_was_written():
    assert written({}, "an ant", "") == {"text": ["an ant", ""]}


def test_a_text_tells_whether_it_refuses():
    facts = {"controls": {"refusal": {"phrases": {"unknown": [["no", "idea"]]}}}}
    assert written(facts, "No idea, sir", "no") == {
        "text": ["No idea, sir", "no"],
        "refused": [True, False],
        "refusal": ["unknown", None],
    }
