"""Figures of several runs are told apart, whichever stage ran last."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from fuseline.cli import app

# Stage: what it reads, and what it writes besides its metrics file.
STAGES: dict[str, tuple[list[str], str]] = {
    "ingest": ([], "data/examples"),
    "finetune": (["data/examples"], "models/finetuned"),
    "evaluate@finetuned": (["data/examples", "models/finetuned"], "data/predictions/finetuned"),
    "stress": (["models/finetuned"], "reports/plots/stress"),
    "leakage": (["data/examples"], "data/leakage"),
}
METRICS = {
    "ingest": "metrics/ingest.json",
    "finetune": "metrics/finetune.json",
    "evaluate@finetuned": "metrics/evaluate/finetuned.json",
    "stress": "metrics/stress.json",
    "leakage": "metrics/leakage.json",
}
CONTENT: dict[str, Any] = {
    "ingest": {
        **{"rows_in": 120, "rows_kept": 118, "rows_quarantined": 2},
        **{"quarantined": {}, "modalities": {"text": 118, "image": 0, "tabular": 118}},
    },
    "finetune": {"dev": {"accuracy": 0.5}},
    "evaluate@finetuned": {
        "accuracy": 0.875,
        "text_only": {"accuracy": 0.84},
        "image_only": {"accuracy": 0.123},
        "tabular_only": {"accuracy": 0.77},
        "shuffled": {"accuracy": 0.5},
    },
    "stress": {},
    "leakage": {"suspicions": 0},
}


def md5(text: str | bytes) -> str:
    return hashlib.md5(text.encode() if isinstance(text, str) else text).hexdigest()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of one whole run."""
    monkeypatch.chdir(tmp_path)
    for stage, path in METRICS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(CONTENT[stage]))
    write_lock(tmp_path)
    return tmp_path


def write_lock(root: Path, *again: str) -> None:
    """The lock file after a whole run and, `again`, others of some stages that gave other outputs
    each."""
    written = {out: md5(f"first {out}") for _, out in STAGES.values()}
    stages: dict[str, Any] = {}
    for run, names in enumerate([list(STAGES), *([name] for name in again)]):
        for name in names:
            reads, out = STAGES[name]
            written[out] = md5(f"{run} {out}")
            deps = [{"path": path, "md5": written[path]} for path in reads]
            own = {"path": METRICS[name], "md5": md5((root / METRICS[name]).read_bytes())}
            outs = [{"path": out, "md5": written[out]}, own]
            stages[name] = {"cmd": name, "deps": deps, "outs": outs}
    YAML().dump({"schema": "2.0", "stages": stages}, root / "dvc.lock")


def summary() -> list[str]:
    result = CliRunner().invoke(app, ["summary"])
    assert result.exit_code == 0, result.output
    return [str(line) for line in result.output.splitlines()]


def row_of(lines: list[str]) -> str:
    (row,) = (line for line in lines if line.startswith("finetuned "))
    return row


def test_of_one_run_nothing_is_said(root: Path) -> None:
    lines = summary()
    assert lines[0].startswith("rows: 120 in")
    assert row_of(lines).split()[:2] == ["finetuned", "0.8750"]


@pytest.mark.parametrize(
    ("again", "cause", "overtaken", "is_marked"),
    [
        (["ingest"], "ingest", ["finetune", "evaluate@finetuned", "stress", "leakage"], True),
        (["ingest", "finetune"], "ingest", ["evaluate@finetuned", "leakage"], True),
        (["ingest", "leakage"], "ingest", ["finetune", "evaluate@finetuned", "stress"], True),
        (["finetune"], "finetune", ["evaluate@finetuned", "stress"], True),
        (["finetune", "evaluate@finetuned"], "finetune", ["stress"], False),
        (["ingest", "finetune", "evaluate@finetuned"], "finetune", ["stress"], False),
    ],
)
def test_stages_that_others_have_overtaken_are_named(
    root: Path, again: list[str], cause: str, overtaken: list[str], is_marked: bool
) -> None:
    write_lock(root, *again)
    lines = summary()
    told = [line for line in lines if line.startswith("NOT OF ONE RUN")]
    assert any(f"`{cause}` has run since these did: {', '.join(overtaken)}." in one for one in told)
    assert all(one.endswith("Run `dvc repro`.") for one in told)
    assert lines.index(told[0]) == 0
    assert ("finetuned (other run)" in row_of(lines)) == is_marked


@pytest.mark.parametrize("stage", sorted(METRICS))
def test_a_file_that_no_stage_wrote_is_named(root: Path, stage: str) -> None:
    """Of a stage that was run by itself, or edited."""
    path = root / METRICS[stage]
    path.write_text(path.read_text() + "\n")
    lines = summary()
    assert lines[0].startswith(f"NOT OF ONE RUN: {METRICS[stage]}: not what dvc.lock records.")
    assert ("(other run)" in row_of(lines)) == stage.startswith("evaluate")


def test_a_file_of_a_stage_that_is_gone_is_named(root: Path) -> None:
    (root / "metrics/evaluate/former.json").write_text(json.dumps({"accuracy": 0.25}))
    assert "metrics/evaluate/former.json: not what dvc.lock records" in summary()[0]


def test_without_a_lock_file_nothing_can_be_said(root: Path) -> None:
    (root / "dvc.lock").unlink()
    assert summary()[0].startswith("rows: ")


def test_a_lock_file_with_marks_of_a_merge_is_named(root: Path) -> None:
    (root / "dvc.lock").write_text("<<<<<<< HEAD\nstages: {}\n")
    result = CliRunner().invoke(app, ["summary"])
    assert result.exit_code == 2
    assert "dvc.lock: expected a lock file of DVC" in result.output


# What rows hold by `ingest`, what the evaluated rows do, and the columns to show.
HELD = [
    ({"text": 9, "image": 9}, ["text", "image"], ["text_only", "image_only"]),
    ({"text": 9, "image": 0}, ["text"], ["text_only"]),
    ({"text": 0, "image": 9}, ["image"], ["image_only"]),
    ({"text": 0, "image": 0, "tabular": 9}, ["tabular"], ["tabular_only"]),
    ({"text": 9, "image": 9, "tabular": 9}, ["text", "tabular"], ["text_only", "tabular_only"]),
    ({"audio": 9, "video": 9}, ["audio", "video"], ["audio_only", "video_only"]),
    ({"text": 9, "tabular": 9}, None, ["text_only", "tabular_only"]),
    ({"text": 0, "image": 0, "audio": 9}, None, ["audio_only"]),
]


@pytest.mark.parametrize(("counts", "modalities", "columns"), HELD)
def test_a_modality_is_shown_alone_where_rows_have_it(
    root: Path, counts: dict[str, int], modalities: list[str] | None, columns: list[str]
) -> None:
    names = ("text", "image", "audio", "video", "tabular")
    ingest = CONTENT["ingest"] | {"modalities": counts}
    (root / METRICS["ingest"]).write_text(json.dumps(ingest))
    scores = {f"{name}_only": {"accuracy": 0.25} for name in names}
    metrics = {"accuracy": 0.5, **scores, "shuffled": {"accuracy": 0.5}}
    if modalities is not None:
        metrics["modalities"] = modalities  # type: ignore[assignment]
    (root / METRICS["evaluate@finetuned"]).write_text(json.dumps(metrics))
    write_lock(root)
    (heading,) = (line for line in summary() if line.startswith("model "))
    assert heading.split() == ["model", "accuracy", *columns, "shuffled"]
