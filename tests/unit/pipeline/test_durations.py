"""How long stages took is kept for people, and lost without harm."""

from __future__ import annotations

import json

import pytest

from fuseline.pipeline import durations
from fuseline.pipeline.durations import LastRun


def last_run(seconds: float) -> LastRun:
    return LastRun(seconds, {"base.seed": 17}, {"data/examples": 10}, whole=True)


def test_the_last_run_of_each_stage_counts(tmp_path):
    for stage, seconds in (("ingest", 3.0), ("finetune", 60.0), ("ingest", 5.0)):
        durations.note(tmp_path, stage, last_run(seconds))
    assert durations.read(tmp_path) == {"ingest": last_run(5.0), "finetune": last_run(60.0)}


BROKEN = [None, "", "[1]", '{"ingest": "long"}', "{", '{"ingest": 5.0}', '{"ingest": {}}']


@pytest.mark.parametrize("content", BROKEN)
def test_what_cannot_be_read_is_nothing_known(tmp_path, content):
    if content is not None:
        (tmp_path / durations.FILE).write_text(content)
    assert durations.read(tmp_path) == {}
    durations.note(tmp_path, "ingest", last_run(1.0))
    assert durations.read(tmp_path) == {"ingest": last_run(1.0)}


def test_a_run_of_another_form_is_nothing_known(tmp_path):
    durations.note(tmp_path, "ingest", last_run(1.0))
    content = json.loads((tmp_path / durations.FILE).read_text())
    content["ingest"]["sizes"] = None
    (tmp_path / durations.FILE).write_text(json.dumps(content))
    assert durations.read(tmp_path) == {}
