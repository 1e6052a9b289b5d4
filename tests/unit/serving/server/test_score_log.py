"""The server's log of scores."""

from __future__ import annotations

import json
import logging
from datetime import datetime

import pytest

from fuseline.errors import ConfigError
from fuseline.serving.scores import Score
from fuseline.serving.server.score_log import ScoreLog
from tests.support.untrained_export import LABELS

SECRET = "a very secret text"


def scores(path) -> list[Score]:
    return [Score.model_validate_json(line) for line in path.read_text().splitlines()]


def test_answered_rows_are_logged_and_nothing_of_what_they_hold(run, tmp_path):
    path = tmp_path / "scores.jsonl"
    with run(score_log=path) as server:
        assert not path.exists(), "the example that the export is tested on is no row in use"
        answers = server.predict({"id": "person", "text": SECRET}, {"text": " "}).json()["answers"]
        assert "refused" in answers[1]
        (found,) = scores(path)
        assert (found.label, found.confidence) == (answers[0]["label"], answers[0]["probability"])
        assert found.label in LABELS and found.present == ["text"]
        assert datetime.fromisoformat(found.time).utcoffset().total_seconds() == 0
        assert "secret" not in path.read_text() and "person" not in path.read_text()
        path.rename(tmp_path / "moved")
        assert server.predict({"text": "b"}, {"text": "c"}).status_code == 200
        assert len(scores(path)) == 2
        assert len(scores(tmp_path / "moved")) == 1


def test_answers_do_not_wait_for_a_log_that_cannot_be_written(run, tmp_path, caplog):
    path = tmp_path / "there"
    path.mkdir()
    with run(score_log=path) as server:
        assert server.predict({"text": "a"}).status_code == 200
    told = [record.told for record in caplog.records if hasattr(record, "told")]
    (failed,) = [one for one in told if one["event"] == "score_log_failed"]
    assert failed["rows"] == 1
    assert caplog.records and logging.ERROR in {record.levelno for record in caplog.records}


def test_a_log_that_cannot_be_written_stops_the_start(tmp_path):
    with pytest.raises(ConfigError, match=r"--score-log .*: cannot be written \(No such file"):
        ScoreLog(tmp_path / "nowhere" / "log").check()
    ScoreLog(tmp_path / "log").check()
    assert (tmp_path / "log").read_bytes() == b""


def test_lines_are_added_whole(tmp_path):
    log = ScoreLog(tmp_path / "log")
    line = {"weights": "w", "label": "ä"}
    log.add([line])
    log.add([line, line])
    found = [json.loads(text) for text in (tmp_path / "log").read_text("utf-8").splitlines()]
    assert [one.pop("time") is not None for one in found] == [True] * 3
    assert found == [line] * 3
