"""A recipe from `fuseline init` to the system that it is for, cut down."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from fuseline.config import read_yaml
from tests.support.first_run import begin, command, run, stages_in_order

WORDS = {"negative": "fell and lost", "neutral": "met and spoke", "positive": "rose and won"}
TOPICS = {"sales": "turnover of the mill", "people": "layoffs at the plant"}


def sentence(mood: str, topic: str, number: int) -> str:
    names = random.Random(number).sample(["paper", "phone", "steel", "tyre", "lift", "oil"], 3)
    return f"{TOPICS[topic]} for {' '.join(names)} {WORDS[mood]} on day {number * 37 % 1000}"


def news(path: Path) -> Path:
    """Sixty rows with mood and topic, and six without a mood, to be pre-trained on."""
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["sentiment", "topic", "sentence"])
        for row in range(66):
            mood, topic = [*WORDS][row % 3], [*TOPICS][row // 3 % 2]
            shown = mood if row < 60 else ""
            lines.writerow([shown, topic, sentence(mood, topic, row)])
    return path


def test_mood_from_init_to_the_monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "project"
    begin(root)
    monkeypatch.chdir(root)
    path = news(root / "data/raw/news/rows.csv")
    result = command("init", "--recipe", "mood", str(path), "--yes")
    assert result.exit_code == 0, result.output
    content = read_yaml(root / "params.yaml")
    assert [task["target"] for task in content["finetune"]["tasks"]] == ["sentiment", "topic"]
    for stage in stages_in_order():
        ran = run(stage)
        assert ran.exit_code == 0, f"{stage.cell}: {ran.output}{ran.exception!r}"
    rows = [
        {"time": number, "text": sentence("negative", "people", number)}
        for number in range(4000, 4030)
    ]
    later = {"time": 40_000, "text": "turnover of the mill met and spoke"}
    with (root / "data/incoming/rows.jsonl").open("w") as file:
        for row in [*rows, {"time": 4000, "text": " "}, *[later] * 3]:
            file.write(f"{json.dumps(row)}\n")
    watched = command("monitor", "data/incoming", "--once")
    assert watched.exit_code == 0, watched.output
    over = [
        json.loads(line)
        for line in (root / "monitor/audit.jsonl").read_text().splitlines()
        if '"window"' in line
    ]
    (window,) = over
    assert sum(stories + copies for stories, _, copies in window["topics"].values()) == 30
    assert {name: counts[0] for name, counts in window["words"].items()} == {
        name: sum(stories for stories, _, _ in window["topics"].values())
        for name in ("words", "scope")
    }
    state = json.loads((root / "monitor/state.json").read_text())
    assert state["content"]["watch"]["refused"] == {"neither text nor label": 1}
    assert (root / "monitor/index.html").stat().st_size > 0
