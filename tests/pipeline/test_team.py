"""A team at work: DVC's own tables and plots, and a pull request's run and report."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vl_convert
from PIL import Image

from tests.support.repository import REPOSITORY
from tests.support.workspace import Workspace

# What `dvc exp show` makes columns of, and more would not be read.
MOST_COLUMNS = 45


def numbers(value: Any) -> Iterator[float]:
    for item in value.values():
        yield from numbers(item) if isinstance(item, dict) else [item]


def output(workspace: Workspace, *command: str, **environment: str) -> str:
    result = workspace.run(*command, **environment)
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_the_table_of_metrics_is_short_and_finite(finished: Workspace) -> None:
    files = json.loads(output(finished, "dvc", "metrics", "show", "--json"))[""]["data"]
    columns = [number for file in files.values() for number in numbers(file["data"])]
    assert 20 < len(columns) <= MOST_COLUMNS
    assert all(isinstance(number, int | float) and math.isfinite(number) for number in columns)


def test_the_figures_that_others_rely_on_stand_at_the_top(finished: Workspace) -> None:
    metrics = finished.root / "metrics"
    counts = json.loads((metrics / "ingest.json").read_text())
    assert {"rows_in", "rows_kept", "rows_quarantined"} <= counts.keys()
    for name in ("finetuned", "adversarial"):
        figures = json.loads((metrics / f"evaluate/{name}.json").read_text())
        assert {"accuracy", "macro_f1", "ece", "robust_accuracy", "attack_success_rate"} <= set(
            figures
        )
        for part in ("text_only", "image_only", "shuffled", "twin"):
            assert {"accuracy", "macro_f1"} <= figures[part].keys()


def test_every_plot_is_drawn_and_titled(finished: Workspace, tmp_path: Path) -> None:
    shown = output(finished, "dvc", "plots", "show", "--json", "--out", str(tmp_path))
    plots = json.loads(shown)["data"]
    assert len(plots) >= 14
    for name, (plot,) in plots.items():
        title = plot["content"]["title"]
        assert (title["text"] if isinstance(title, dict) else title) not in ("", name)
        assert "<DVC_METRIC" not in json.dumps(plot["content"])
        assert vl_convert.vegalite_to_svg(plot["content"]).startswith("<svg")


@pytest.fixture(scope="module")
def author(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A finished repository whose data lie at a remote."""
    folder = tmp_path_factory.mktemp("team")
    author = finished.copy(folder / "author")
    for command in (
        ("dvc", "remote", "add", "--default", "store", str(folder / "store")),
        ("dvc", "remote", "modify", "store", "verify", "true"),
        ("git", "checkout", "--quiet", "-b", "main"),
        ("git", "add", "--all"),
        ("git", "commit", "--quiet", "--message", "Finished"),
        ("dvc", "push", "--quiet"),
    ):
        output(author, *command)
    return author


@pytest.fixture
def pull_request(author: Workspace, tmp_path: Path) -> Workspace:
    """A fresh clone with a branch `change`."""
    output(author, "git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Workspace(tmp_path / "clone")
    output(clone, "git", "checkout", "--quiet", "-b", "change")
    return clone


def report(workspace: Workspace) -> str:
    return (workspace.root / "pipeline-report" / "report.md").read_text()


def test_a_pull_request_without_a_change_runs_and_fetches_nothing(pull_request: Workspace) -> None:
    output(pull_request, ".ci/pipeline", "origin/main", PIPELINE_MODE="check")
    found = report(pull_request)
    assert "`dvc.lock` is up to date" in found
    assert "No metrics changed." in found
    assert "No params changed." in found
    assert "No plots changed." in found
    assert not (pull_request.root / "models").exists()


def test_a_stale_lock_is_refused_where_the_team_wants_it(pull_request: Workspace) -> None:
    pull_request.set_params({"evaluate.num_calibration_bins": 100})
    result = pull_request.run(".ci/pipeline", "origin/main", PIPELINE_MODE="check")
    assert result.returncode == 1
    assert "dvc.lock is not up to date: run `dvc repro`" in result.stdout
    stale = "These stages would run, then those that read theirs: `evaluate@finetuned`,"
    assert f"{stale} `evaluate@adversarial`." in report(pull_request)
    assert not (pull_request.root / "models").exists()


def test_a_changed_param_runs_what_reads_it_and_the_author_takes_the_results_over(
    pull_request: Workspace, author: Workspace, tmp_path: Path
) -> None:
    # With so many each row has a bin of its own. With fewer than before the error may stay as it
    # was: where all bins err to one side, it is the same for any of them.
    pull_request.set_params({"evaluate.num_calibration_bins": 100})
    output(pull_request, ".ci/pipeline", "origin/main", PIPELINE_MODE="push")
    found = report(pull_request)
    assert found.startswith("<!-- pipeline-report -->\n")
    assert "Ran: `evaluate@finetuned`, `evaluate@adversarial`, `report`, `export`." in found
    assert "| metrics/evaluate/finetuned.json | ece |" in found
    assert "| metrics/evaluate/finetuned.json | accuracy |" not in found
    assert "| params.yaml | evaluate.num_calibration_bins | 15 | 100 |" in found
    pictures = sorted((pull_request.root / "pipeline-report" / "plots").glob("*.png"))
    assert [path.stem for path in pictures] == [
        f"reports-plots-{name}-reliability-csv" for name in ("adversarial", "finetuned")
    ]
    for path in pictures:
        assert Image.open(path).size > (300, 300)
        assert f"](plots/{path.name})" in found
    assert not (pull_request.root / "models/pretrained").exists()
    mine = author.copy(tmp_path / "mine")
    mine.set_params({"evaluate.num_calibration_bins": 100})
    output(mine, "git", "apply", str(pull_request.root / "pipeline-report" / "results.patch"))
    output(mine, "dvc", "pull", "--quiet")
    assert mine.repro() == []


def test_a_failed_stage_is_told_with_the_end_of_its_log(pull_request: Workspace) -> None:
    path = pull_request.root / "params.yaml"
    path.write_text(path.read_text().replace("num_examples: 4", "num_examples: none"))
    result = pull_request.run(".ci/pipeline", "origin/main")
    assert result.returncode != 0
    assert "**The run failed at stage `report`.**" in report(pull_request)
    assert "report.num_examples" in report(pull_request)


@pytest.mark.parametrize(
    ("arguments", "mode", "message"),
    [
        ([], "run", "BASE: name a git revision"),
        (["nowhere"], "run", "nowhere: no such git revision"),
        (["HEAD"], "walk", "PIPELINE_MODE: 'walk' is unknown"),
    ],
)
def test_bad_use_of_the_script_says_what_is_wrong(
    pull_request: Workspace, arguments: list[str], mode: str, message: str
) -> None:
    result = pull_request.run(".ci/pipeline", *arguments, PIPELINE_MODE=mode)
    assert result.returncode == 2
    assert message in result.stdout


GH = """#!/usr/bin/env bash
# Stands in for GitHub's command line: keeps what is posted.
case "$*" in
  *--jq*) [ -f "$STORE/posted" ] && echo 7 || true ;;
  *) echo "$*" >> "$STORE/calls"; last=${!#}; cp "${last#body=@}" "$STORE/posted" ;;
esac
"""


def test_the_comment_is_written_once_and_then_anew(tmp_path: Path) -> None:
    """With pictures on a branch of their own, which keeps those of other pull requests."""
    report = tmp_path / "report"
    (report / "plots").mkdir(parents=True)
    (report / "report.md").write_text("<!-- pipeline-report -->\n![One](plots/one.png)\n")
    Image.new("RGB", (2, 2)).save(report / "plots" / "one.png")
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(GH)
    program.chmod(0o755)

    def git(*arguments: str, at: str = "clone") -> str:
        command = ["git", "-C", str(tmp_path / at), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def comment(number: int) -> str:
        environment = os.environ | {
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "STORE": str(tmp_path),
            "PULL_REQUEST": str(number),
            "GITHUB_REPOSITORY": "team/model",
            "GITHUB_RUN_ID": "99",
        }
        script = str(REPOSITORY / ".ci" / "comment")
        subprocess.run([script, str(report)], cwd=tmp_path / "clone", env=environment, check=True)
        return (tmp_path / "posted").read_text()

    git("init", "--quiet", "--bare", str(tmp_path / "server"), at=".")
    git("clone", "--quiet", str(tmp_path / "server"), str(tmp_path / "clone"), at=".")
    posted = comment(1)
    commit = git("rev-parse", "pipeline-plots", at="server").strip()
    assert f"![One](https://github.com/team/model/raw/{commit}/pr-1/one.png)" in posted
    assert "actions/runs/99#artifacts" in posted
    (report / "plots" / "one.png").rename(report / "plots" / "two.png")
    comment(2)
    comment(1)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert ["--method POST" in call for call in calls] == [True, False, False]
    assert "issues/comments/7" in calls[1]
    kept = git("ls-tree", "-r", "--name-only", "pipeline-plots", at="server").split()
    assert kept == ["pr-1/two.png", "pr-2/two.png"]
