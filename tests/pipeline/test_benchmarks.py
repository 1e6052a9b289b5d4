"""Benchmarks that run the pipeline, cut down; the others are in `tests/benchmarks`.

They clone a finished repository whose clones share its cache, so that a benchmark's clone computes
only what the benchmark changes. What they measure means nothing here.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from benchmarks import (
    ablation,
    adversarial,
    class_weights,
    foolbox_parity,
    fusion,
    hostile,
    kills,
    lists,
    page,
    pipeline,
    predicting,
    quality,
    reloads,
    second_opinion,
    serving,
    tampering,
    trimodal,
)
from fuseline.config import read_yaml
from fuseline.evaluation.recommendation.rivals import RIVALS
from fuseline.params.evaluate import EvaluateParams
from fuseline.params.whole import set_keys
from tests.support.browser import needs_chromium
from tests.support.events import lay_films
from tests.support.repository import PARAMS_FILE
from tests.support.workspace import Workspace

SEED = 17
SALT = 0  # that of the finished repository


@pytest.fixture(scope="module")
def origin(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished repository, committed, to whose cache its clones are sent."""
    workspace = finished.copy(tmp_path_factory.mktemp("benchmarks") / "origin")
    for command in (
        ("dvc", "cache", "dir", str(workspace.root / ".dvc" / "cache")),
        ("git", "add", "--all"),
        ("git", "commit", "--quiet", "--message", "state"),
    ):
        done = workspace.run(*command)
        assert done.returncode == 0, done.stdout
    return workspace.root


@pytest.fixture(autouse=True)
def _settings(finished: Workspace) -> Iterator[None]:
    """As for the workspaces of other tests: no settings of the user's."""
    with patch.dict(os.environ, finished.environment, clear=True):
        yield


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, object]], list[list[str]]]:
    """Runs, each a line of JSON, and the rows of the table, with their names first."""
    lines = capsys.readouterr().out.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return [json.loads(line) for line in lines if line.startswith("{")], rows


def numbers(cells: list[str]) -> list[float]:
    """The first number of each cell; all must have one, and it must be finite."""
    found = [float(cell.split()[0]) for cell in cells]
    assert all(map(math.isfinite, found))
    return found


def test_pipeline(origin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.main(origin, num_rounds=1)
    said = capsys.readouterr().out
    assert "dvc.lock equals the committed one: True" in said
    assert re.search(r"^no-op dvc repro: \d+\.\d\d s, \d+\.\d\d x dvc version", said, re.M)


def test_quality(origin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quality.main(origin, (SALT, SALT))
    runs, (_, *rows) = printed(capsys)
    assert runs[0] == runs[1]
    assert [name for name, *_ in rows] == [
        *quality.SCORED,
        *(f"{better} - {other}" for better, other in quality.PAIRS),
    ]
    for _, *cells in rows:
        numbers(cells)
        assert all(cell.endswith(" ± 0.0000") for cell in cells)


def test_lists(origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay_films(tmp_path / "films")
    few = {
        "finetune.recommendation.horizon_days": 6,
        "finetune.training.num_epochs": 1,
        "ingest.interactions.test": 0.15,
    }
    lists.main(origin, (SEED, SEED), few, {"films": tmp_path / "films"})
    runs, (_, *rows) = printed(capsys)
    assert runs[0] == runs[1]
    assert [name for name, *_ in rows] == ["model", *sorted(RIVALS)]
    assert all(float(cells[0]) == pytest.approx(runs[0][name], abs=1e-4) for name, *cells in rows)
    assert all(cells[1].endswith(" ± 0.0000") for _, *cells in rows[1:])


def test_fusion(origin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fusion.main(origin, ["attention"], [SALT])
    (run,), (_, (name, *cells)) = printed(capsys)
    assert run["setting"] == name == "attention"
    assert len(numbers(cells)) == len(fusion.COLUMNS)


def test_ablation(origin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ablation.main(origin, (), [SALT])
    (run,), (_, (name, *cells)) = printed(capsys)
    assert run["setting"] == name == "nothing"
    assert len(numbers(cells)) == len(ablation.COLUMNS)


def test_class_weights(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    class_weights.main(finished.root, ["none", "balanced_sampler"], [17])
    runs, (_, *rows) = printed(capsys)
    assert [(run["seed"], run["setting"]) for run in runs] == [
        (17, "none"),
        (17, "balanced_sampler"),
    ]
    for _, *cells in rows:
        assert len(numbers(cells)) == len(class_weights.COLUMNS)


def test_adversarial(origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawing = tmp_path / "methods.svg"
    # Not attacked anew: that the benchmark's own attack is one is the next test's matter.
    adversarial.main(origin, ["pgd"], {}, 1, drawing)
    said = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in said.splitlines() if line.startswith("| ")]
    assert [name for name, *_ in rows[1:]] == ["pgd", "none"]
    for _, *cells in rows[1:]:
        assert len(numbers(cells)) == len(adversarial.COLUMNS)
    assert drawing.read_text().startswith("<svg")


def test_adversarial_training_and_attack_are_params() -> None:
    content = read_yaml(PARAMS_FILE)
    set_keys(content, adversarial.ATTACK)
    EvaluateParams.model_validate(content["evaluate"])
    for changes in adversarial.VARIANTS.values():
        assert adversarial.section(PARAMS_FILE, changes).method == changes["method"]


def test_foolbox_parity(origin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foolbox_parity.main(origin)
    said = capsys.readouterr().out
    assert len(re.findall(r"^\| (?:finetuned|adversarial) ", said, re.M)) == 8
    (largest,) = re.findall(r"^Largest difference: (\d+\.\d\d) points$", said, re.M)
    assert float(largest) == 0.0


def test_kills(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """By a seed that draws the signals which `test_interruptions` leaves out, amid training.

    Adversarial training that follows longer fine-tuning once ended as a robust collapse here.
    """
    kills.main(2, seed=620, finished=finished.root, stages=["finetune", "adversarial_finetune"])
    *found, sums = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in found] == [
        ["finetune", "SIGKILL", "to", "group"],
        ["adversarial_finetune", "SIGINT", "to", "group"],
    ]
    assert sums.startswith("2 of 2 endings byte-identical, 2 of the kills after a first step;")
    (most,) = re.findall(r"at most (\d+\.\d)% of all; 0 tracebacks", sums)
    assert float(most) <= 10.0


def test_tampering(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    tampering.main(finished, ["local"], ["fuseline check-remote, dvc pull"], ["swap"], 1)
    assert capsys.readouterr().out == "local: fuseline check-remote, dvc pull: 2 of 2 refused\n"


@pytest.mark.skipif("FUSELINE_TEST_DATA" not in os.environ, reason="FUSELINE_TEST_DATA is not set")
def test_trimodal(origin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trimodal.main(origin, [SALT], [["audio"]], num_rows=60)
    (run,), (_, (name, *cells)) = printed(capsys)
    assert run["modalities"] == [name] == ["audio"]
    assert len(numbers(cells)) == 3


def test_predicting(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    predicting.main(finished.root, sizes=(40,), num_rounds=2, threads=1)
    said = capsys.readouterr().out
    assert re.findall(r"^(stored features|picture bytes) +(\w+) ", said, re.MULTILINE) == [
        (title, name)
        for title in ("stored features", "picture bytes")
        for name in ("torch", "onnx", "int8")
    ]
    assert len(re.findall(r"predict, \w+ +\d+ rows a second +40 rows", said)) == 2


def test_second_opinion(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    second_opinion.main(finished.root, max_rows=4, num_restarts=2, num_steps=3)
    told = re.findall(r"^(\w+) +headline [\d.]+; of (\d) standing", capsys.readouterr().out, re.M)
    assert [name for name, _ in told] == ["finetuned", "adversarial"]


@needs_chromium
def test_page(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    page.main(finished.root, num_rounds=2)
    said = capsys.readouterr().out
    assert re.search(r"^files: 16, \d+\.\d kB$", said, re.M)
    assert re.search(r"^2 visits: form \d+ ms, answer \d+ ms, at most \d+$", said, re.M)


def test_serving(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    serving.main(finished.root, seconds=0.5, concurrency=(1, 4), num_texts=20)
    said = capsys.readouterr().out
    loads = re.findall(r"^(batches of 32|one by one) +(\d) clients .* 0 wrong .* none", said, re.M)
    assert loads == [
        (name, clients) for name in ("batches of 32", "one by one") for clients in ("1", "4")
    ]
    assert re.search(r"^batching: \d+\.\d\d x, 4 clients$", said, re.M)


def test_reloads(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    reloads.main(finished.root, num_reloads=2, clients=2)
    said = capsys.readouterr().out
    assert re.search(r"^2 reloads, memory, MiB: \d+ \d+ \d+$", said, re.M)
    assert re.search(r"^[1-9]\d* answers, 0 wrong, other than 200: none$", said, re.M)


def test_hostile(finished: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    hostile.main(finished.root, num_requests=3 * len(hostile.KINDS))
    said = capsys.readouterr().out
    assert re.findall(r"^(.+?) +3  ", said, re.M) == [*hostile.KINDS]
    assert said.endswith("a plain row is answered as before: yes\n")
