"""How long stages took is kept for people, and lost without harm."""

from __future__ import annotations

import pytest

from fuseline.pipeline import durations


def test_the_last_run_of_each_stage_counts_and_the_longest_is_told_first(tmp_path):
    for stage, seconds in (("ingest", 3.04), ("finetune", 60.0), ("ingest", 5.0)):
        durations.note(tmp_path, stage, seconds)
    assert durations.read(tmp_path) == {"finetune": 60.0, "ingest": 5.0}
    assert durations.told(tmp_path) == (
        "seconds of each stage's last run: finetune 60, ingest 5; 65 in all"
    )


@pytest.mark.parametrize("content", [None, "", "[1]", '{"ingest": "long"}', "{"])
def test_what_cannot_be_read_is_nothing_known(tmp_path, content):
    if content is not None:
        (tmp_path / durations.FILE).write_text(content)
    assert durations.read(tmp_path) == {}
    assert durations.told(tmp_path) == ""
    durations.note(tmp_path, "ingest", 1.0)
    assert durations.read(tmp_path) == {"ingest": 1.0}
