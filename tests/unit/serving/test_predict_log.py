"""Scores that `fuseline predict` writes beside its answers."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.serving import predict
from fuseline.serving.scores import Score
from tests.support.untrained_export import write_export

SECRET = "a very secret text"


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp("log") / "export")


@pytest.fixture
def table(tmp_path):
    """Twenty rows, of which one is refused."""
    path = tmp_path / "rows.jsonl"
    rows = [{"id": f"person-{n}", "text": SECRET if n != 7 else ""} for n in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ask(export, *words):
    return CliRunner().invoke(app, ["predict", *map(str, words), "--model", str(export)])


def test_a_line_an_answered_row_says_how_it_was_answered_and_nothing_of_it(export, table, tmp_path):
    out, log = tmp_path / "out.jsonl", tmp_path / "logs" / "scores"
    assert ask(export, table, "-o", out, "--log", log).exit_code == 0
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    scores = [Score.model_validate_json(line) for line in log.read_text().splitlines()]
    assert len(answers) == len(scores) == 19
    for answer, score in zip(answers, scores, strict=True):
        assert (score.label, score.confidence) == (answer["label"], answer["probability"])
        assert (score.sure, score.in_scope) == (answer["sure"], answer["in_scope"])
        assert score.out_of_scope == answer["out_of_scope"]
        assert (score.present, score.format, score.time) == (["text"], "onnx", None)
        assert score.weights == f"{0:064x}"
    assert "secret" not in log.read_text() and "person" not in log.read_text()


def test_a_killed_run_goes_on_and_ends_with_the_same_log(export, table, tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "BLOCK_ROWS", 4)
    whole = tmp_path / "whole"
    assert ask(export, table, "-o", tmp_path / "whole.csv", "--log", whole).exit_code == 0
    out, log = tmp_path / "out.csv", tmp_path / "log"
    keep, kept = predict.Progress.keep, []

    def then_killed(self, block):
        if len(kept) == 3:
            raise KeyboardInterrupt
        kept.append(block)
        keep(self, block)

    with monkeypatch.context() as broken_off:
        broken_off.setattr(predict.Progress, "keep", then_killed)
        assert ask(export, table, "-o", out, "--log", log).exit_code == 130
    assert not log.exists()
    assert "Going on after 12 rows" in ask(export, table, "-o", out, "--log", log).output
    assert log.read_bytes() == whole.read_bytes()
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_blocks_without_scores_are_not_taken_up_where_a_log_is_asked(
    export, table, tmp_path, monkeypatch
):
    out, log = tmp_path / "out.csv", tmp_path / "log"

    def killed(self, *_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken_off:
        broken_off.setattr(predict.Progress, "join", killed)
        assert ask(export, table, "-o", out).exit_code == 130
    assert "Going on" not in ask(export, table, "-o", out, "--log", log).output
    assert len(log.read_text().splitlines()) == 19


def test_a_log_needs_an_output_of_its_own(export, table, tmp_path):
    out = tmp_path / "out.jsonl"
    for words in ((table,), ("--text", "a")):
        found = ask(export, *words, "--log", tmp_path / "log")
        assert found.exit_code == 2
        assert "--log: expected a table of rows and --output" in found.output
    for log in (out, tmp_path / "out.refused.jsonl"):
        found = ask(export, table, "-o", out, "--log", log)
        assert found.exit_code == 2
        assert "the answers would be written there too" in found.output
    (tmp_path / "kept").mkdir()
    found = ask(export, table, "-o", out, "--log", tmp_path / "kept")
    assert found.exit_code == 2
    assert "kept: expected the name of a file, found a folder" in found.output
    assert (tmp_path / "kept").is_dir()
