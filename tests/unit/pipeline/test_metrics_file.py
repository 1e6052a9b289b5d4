"""Metrics files: what DVC's tables show of them, and what reading gives back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dvc.repo.metrics.show import _extract_metrics

from fuseline.errors import ContractError
from fuseline.pipeline.metrics_file import read_metrics, write_metrics

METRICS = {
    "shuffled": {"accuracy": 2.0000001, "by_modality": {"text": 0.25}},
    "accuracy": 1 / 3,
    "per_class": {"red": {"f1": 0.5}},
    "curve": [{"scale": 1 / 3}],
}
HEADLINE = ["accuracy", "shuffled", "rmse"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics" / "it.json"


def test_dvc_shows_the_headline_and_nothing_else(path: Path) -> None:
    write_metrics(path, METRICS, HEADLINE)
    shown = _extract_metrics(json.loads(path.read_text()), str(path))
    assert shown == {"accuracy": 0.333333, "shuffled": {"accuracy": 2.0}}


def test_all_of_it_is_read_back_rounded(path: Path) -> None:
    write_metrics(path, METRICS, HEADLINE)
    assert read_metrics(path) == {
        "shuffled": {"accuracy": 2.0, "by_modality": {"text": 0.25}},
        "accuracy": 0.333333,
        "per_class": {"red": {"f1": 0.5}},
        "curve": [{"scale": 0.333333}],
    }


def test_the_order_of_figures_does_not_change_the_bytes(path: Path) -> None:
    write_metrics(path, METRICS, HEADLINE)
    before = path.read_bytes()
    write_metrics(path, dict(reversed(METRICS.items())), HEADLINE)
    assert path.read_bytes() == before


def test_a_figure_that_is_not_finite_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_metrics(path, {"loss": float("nan")}, [])
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_named(path: Path) -> None:
    with pytest.raises(ContractError, match=r"it\.json: not found\. Run `dvc repro`"):
        read_metrics(path)
    write_metrics(path, METRICS, HEADLINE)
    path.write_text("{")
    with pytest.raises(ContractError, match=r"it\.json: not readable as JSON"):
        read_metrics(path)


@pytest.mark.parametrize(
    "content", ["[1]", '{"details": {}}', '{"details": []}', '{"details": [1]}']
)
def test_a_file_of_another_form_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "it.json"
    path.write_text(content)
    with pytest.raises(ContractError, match=f"{path}: expected a mapping of figures"):
        read_metrics(path)
