"""Weights of labels that no row has stop the first stage that reads the examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fuseline.config import read_yaml
from fuseline.errors import ConfigError
from fuseline.params.whole import set_keys
from fuseline.pipeline.weighed_labels import EXAMPLES_FOLDER, check_weights
from tests.support.examples_tables import write_examples
from tests.support.repository import PARAMS_FILE, REPOSITORY


def weighing(weights: object, target: str = "label") -> dict[str, Any]:
    content = read_yaml(PARAMS_FILE)
    tasks = [
        {"kind": "regression", "target": "price", "weight": 1.0},
        {"kind": "classification", "target": target, "weight": 1.0},
    ]
    set_keys(content, {"finetune.class_weights": weights, "finetune.tasks": tasks})
    return content


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    rows = [
        {"label": "ant", "targets": [("kind", "big")]},
        {"label": "bee", "targets": [("kind", "small")]},
        {"label": None, "targets": None},
    ]
    return write_examples(tmp_path / "examples", rows)


@pytest.mark.parametrize(
    ("weights", "target", "known"),
    [({"bea": 2.0}, "label", r"ant, bee"), ({"ant": 2.0}, "kind", r"big, small")],
)
def test_a_label_of_no_row_is_refused(
    examples: Path, weights: dict[str, float], target: str, known: str
) -> None:
    (name,) = weights
    message = (
        rf"finetune\.class_weights\.{name}: expected a label of .*examples, {target} \({known}\);"
        rf" found '{name}'\."
    )
    with pytest.raises(ConfigError, match=message):
        check_weights(weighing(weights, target), examples)


@pytest.mark.parametrize(
    ("weights", "target"),
    [({"bee": 2.0}, "label"), ({"small": 2.0, "big": 1.0}, "kind"), ({}, "label")],
)
def test_labels_of_rows_may_be_weighed(
    examples: Path, weights: dict[str, float], target: str
) -> None:
    check_weights(weighing(weights, target), examples)


@pytest.mark.parametrize("way", ["none", "balanced"])
def test_without_weights_by_label_nothing_is_read(tmp_path: Path, way: str) -> None:
    check_weights(weighing(way), tmp_path / "not there")


def test_a_stage_that_reads_the_examples_runs_before_pre_training() -> None:
    stages = read_yaml(REPOSITORY / "dvc.yaml")["stages"]
    assert str(EXAMPLES_FOLDER) in stages["tokenize"]["deps"]
    assert set(stages["tokenize"]["outs"]) & set(stages["pretrain"]["deps"])
