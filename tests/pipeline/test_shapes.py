"""Ten shapes of data, each from `fuseline init --yes` to the report, without a hand's touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fuseline.config import read_yaml
from fuseline.params.attack import SPACE_OF
from fuseline.params.whole import check
from fuseline.pipeline.metrics_file import read_metrics
from tests.pipeline.shapes import ROWS, SHAPES, Shape, cyrillic_texts
from tests.support.first_run import begin, command, run, stages_in_order
from tests.support.workspace import Workspace


@pytest.mark.parametrize("name", SHAPES)
def test_from_init_to_the_report(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, root = SHAPES[name], tmp_path / "clone"
    begin(root)
    monkeypatch.chdir(root)
    path = shape.make(root / "data" / "raw" / "mine")
    result = command("init", str(path), "--yes")
    assert result.exit_code == 0, result.output
    _check_params(read_yaml(root / "params.yaml"), shape)
    for stage in stages_in_order():
        ran = run(stage)
        assert ran.exit_code == 0, f"{stage.cell}: {ran.output}{ran.exception!r}"
    figures = read_metrics(root / "metrics" / "ingest.json")
    assert (figures["rows_in"], figures["rows_quarantined"]) == (ROWS, 0)
    assert (root / "reports" / "index.html").stat().st_size > 0


def test_texts_in_a_script_that_minilm_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From `init` to answers of the export, by characters, which nobody asked for."""
    root = tmp_path / "clone"
    begin(root)
    monkeypatch.chdir(root)
    path = cyrillic_texts(root / "data" / "raw" / "mine")
    assert command("init", str(path), "--yes").exit_code == 0
    Workspace(root).set_params({"tokenize.encoder": "auto", "tokenize.characters.hidden_size": 64})
    for stage in stages_in_order():
        ran = run(stage)
        assert ran.exit_code == 0, f"{stage.cell}: {ran.output}{ran.exception!r}"
    figures = read_metrics(root / "metrics" / "tokenize.json")
    assert (figures["encoder"], figures["knows_language"]) == ("characters", False)
    assert "MiniLM does not know the language" in (root / "reports" / "index.html").read_text()
    answered = command("predict", "--text", "дом стоит север")
    assert answered.exit_code == 0, answered.output
    measured = read_metrics(root / "metrics" / "export.json")
    assert measured["onnx"]["agreement"] == 1.0
    assert measured["onnx"]["largest_difference"] < 1e-3


def _check_params(content: dict[str, Any], shape: Shape) -> None:
    check(content)
    assert content["ingest"]["source"] == shape.source
    assert content["base"]["modalities"] == list(shape.modalities)
    assert [(task["kind"], task["target"]) for task in content["finetune"]["tasks"]] == [shape.task]
    spaces = [SPACE_OF[modality] for modality in shape.modalities]
    attacks = [
        content["pretrain"]["adversarial"]["attack"],
        content["adversarial_finetune"]["attack"],
        content["evaluate"]["robustness"]["attack"],
        content["stress"]["transfer"]["attack"],
    ]
    assert all(list(attack["epsilon"]) == spaces for attack in attacks)
