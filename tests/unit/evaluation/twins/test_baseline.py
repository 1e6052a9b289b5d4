"""The figures to beat are those of the twin that `evaluate` holds a trained model to."""

from __future__ import annotations

import pytest

from fuseline.errors import ConfigError
from fuseline.evaluation.twins.baseline import BaselineInputs, measure_baseline, told
from fuseline.params.finetune import TaskParams
from tests.unit.evaluation.test_evaluate import content, inputs, run, settings

__all__ = ["content", "inputs"]


def task(target: str = "label", kind: str = "classification") -> TaskParams:
    return TaskParams(kind=kind, target=target, weight=1.0)


def measured(inputs, content, asked: TaskParams, **base: object) -> dict:
    tables = BaselineInputs(inputs.examples, inputs.tokens, inputs.tokenizer, inputs.features)
    return measure_baseline(tables, tasks=[asked], base=settings(content, **base)[1])


def test_scores_are_those_of_the_twin_of_evaluate(inputs, content, tmp_path, capsys):
    found = measured(inputs, content, task())
    evaluated = run(inputs, tmp_path, content)
    assert found["rows"] == evaluated["rows"]
    assert {name: found[name] for name in ("accuracy", "macro_f1")} == {
        name: evaluated["twin"][name] for name in ("accuracy", "macro_f1")
    }
    for name in ("text", "image"):
        assert found[f"{name}_only"] == evaluated[f"twin_{name}_only"]
    said = capsys.readouterr().out
    assert f"has accuracy {found['accuracy']:.3f}, macro_f1 {found['macro_f1']:.3f} on" in said
    assert "no figure of the model that is trained" in said


def test_a_column_that_is_not_there_is_told_before_anything_is_trained(inputs, content):
    with pytest.raises(ConfigError, match=r"finetune\.tasks\[0\]"):
        measured(inputs, content, task("mood"))


def test_a_task_without_a_linear_model_says_so(inputs, content):
    found = measured(inputs, content, TaskParams(kind="retrieval", target=None, weight=1.0))
    assert "accuracy" not in found
    assert told(found, ["text", "image"]) == (
        "baseline: a retrieval has no linear model to hold it to."
    )
