"""People's events, from two files to a list with reasons, through every stage."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fuseline.pipeline.metrics_file import read_metrics
from tests.support.events import PEOPLE, lay_films
from tests.support.first_run import begin, command, run, stages_in_order
from tests.support.workspace import Workspace

CHANGES = {
    "base.modalities": ["text", "tabular"],
    "ingest.source": "manifest",
    "ingest.manifest.path": "data/raw/movies.dat",
    "ingest.manifest.columns.id": "1",
    "ingest.manifest.columns.text": "2",
    "ingest.manifest.columns.image": None,
    "ingest.manifest.columns.label": None,
    "ingest.manifest.columns.tabular": ["3"],
    "ingest.interactions.path": "data/raw/ratings.dat",
    "ingest.interactions.columns": {
        "user": "1", "item": "2", "value": "3", "time": "4", "kind": None,
    },
    "ingest.interactions.dev": 0.15,
    "ingest.interactions.test": 0.15,
    "finetune.tasks": [{"kind": "recommendation", "target": None, "weight": 1.0}],
    "finetune.recommendation": {
        "width": 16, "num_heads": 2, "history": 6, "events_per_row": 4, "horizon_days": 6,
    },
    "adversarial_finetune.attack.epsilon": {"text_embedding": 0.1},
    "evaluate.robustness.attack.epsilon": {"text_embedding": 0.1},
    "stress.transfer.attack.epsilon": {"text_embedding": 0.1},
    "pretrain.adversarial.attack.epsilon": {"text_embedding": 0.1},
}  # fmt: skip


def test_from_two_files_to_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "clone"
    begin(root)
    monkeypatch.chdir(root)
    lay_films(root / "data" / "raw")
    Workspace(root).set_params(CHANGES)
    for stage in stages_in_order():
        ran = run(stage)
        assert ran.exit_code == 0, f"{stage.cell}: {ran.output}{ran.exception!r}"
    figures = read_metrics(root / "metrics" / "ingest.json")["interactions"]
    assert (figures["rows_in"], figures["rows_kept"]) == (12 * PEOPLE + 3, 12 * PEOPLE)
    refused = {reason: count for reason, count in figures["quarantined"].items() if count}
    assert refused == {"duplicate_event": 1, "no_user": 1, "unknown_item": 1}
    for model in ("finetuned", "adversarial"):
        found = read_metrics(root / "metrics" / "evaluate" / f"{model}.json")
        assert found["task"] == "recommendation"
        assert set(found["rivals"]) >= {"popularity", "popularity_7_days", "ease", "als", "bpr"}
        assert 0 < found["ndcg_at_10"] < 1
    _is_told(root)
    _recommends(root)


def _is_told(root: Path) -> None:
    """The report and the summary set the models beside their rivals."""
    page = (root / "reports" / "index.html").read_text(encoding="utf-8")
    assert 'id="recommendations"' in page
    assert "the best rival" in page
    assert "What the cuts by time part" in page
    summary = command("summary")
    assert summary.exit_code == 0, summary.output
    assert summary.output.count("rivals: NDCG@10 differs by") == 2


def lines(path: Path) -> list[list[str]]:
    return [line.split("::") for line in path.read_text(encoding="utf-8").splitlines()]


def _recommends(root: Path) -> None:
    listed = command("recommend", "--user", "p0", "--json", "--where", "3=Drama")
    assert listed.exit_code == 0, listed.output
    items = json.loads(listed.output)
    places = items if isinstance(items, list) else items["items"]
    assert len(places) == 10
    rows = {
        line.split("::")[0]: line
        for line in (root / "data/raw/movies.dat").read_text().splitlines()
    }
    assert all(rows[place["id"]].endswith("Drama") for place in places)
    written = command("recommend", "--all-users", "-o", "lists.parquet")
    assert written.exit_code == 0, written.output
    lists = pq.read_table(root / "lists.parquet").to_pandas()
    assert lists.groupby("user").size().tolist() == [10] * PEOPLE
    # Nobody is told of what they had.
    had = {
        tuple(line.split("::")[:2])
        for line in (root / "data/raw/ratings.dat").read_text().splitlines()
    }
    assert not had & set(zip(lists["user"], lists["item"], strict=True))
