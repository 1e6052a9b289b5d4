"""Where two runs part, told from lock files and metrics that were made up for it."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.errors import ConfigError
from fuseline.pipeline.environment import RECORD_FILE, Maker
from fuseline.pipeline.lock_file import in_order, read_lock
from fuseline.pipeline.metrics_file import joined
from fuseline.workbench.verify import Comparison, compare, describe
from fuseline.workbench.verify.declared import Declared
from fuseline.workbench.verify.figures import Splits, differences
from fuseline.workbench.verify.revision import commit_of
from tests.support.declared_stages import declared_stages
from tests.support.repository import REPOSITORY
from tests.support.workspace import GIT_IDENTITY

FILES: dict[str, Any] = {
    "metrics/ingest.json": {"rows_in": 120, "labels": ["a", "b"]},
    "metrics/train.json": {"best_epoch": 3, "dev": {"accuracy": 0.9, "loss": 0.5}, "steps": 40},
    "metrics/evaluate.json": {
        "accuracy": 0.9,
        "confusion_matrix": [[40, 3], [2, 45]],
        "per_class": {"a": {"recall": 0.8, "support": 10}},
        "passed": True,
    },
    "reports/page.html": "a page",
    "data/rows": "rows",
    "data/more": "more rows",
    "models/weights": "weights",
}
STAGES: dict[str, tuple[list[str], list[str], dict[str, Any]]] = {
    "report": (["metrics/evaluate.json"], ["reports/page.html"], {}),
    "evaluate@one": (["models", "data/rows"], ["metrics/evaluate.json"], {"evaluate": {"rows": 9}}),
    "train": (
        ["data/rows"],
        ["models/weights", "metrics/train.json"],
        {"base": {"num_threads": 2}, "train": {"epochs": 4, "attack": {"steps": 1}}},
    ),
    "ingest": (["data/raw"], ["data/rows", "data/more", "metrics/ingest.json"], {}),
}


def written(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content)


class Repository:
    """A repository of four stages that seem to have run, first to last `ingest` to `report`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = copy.deepcopy(FILES)
        self.params = {name: copy.deepcopy(params) for name, (_, _, params) in STAGES.items()}
        self.code = {name: f"code of {name}" for name in STAGES}
        self.raw = "raw rows"
        self.declare(ingest={}, train={}, evaluate={"matrix": {"model": ["one"]}}, report={})
        (root / ".gitignore").write_text("data\nmodels\nreports\n")
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, check=True, env=GIT_IDENTITY)

    def declare(self, **stages: Any) -> None:
        (self.root / "dvc.yaml").write_text(json.dumps({"stages": stages}))

    def run(self) -> Repository:
        """Write what the stages would have written."""
        for name, content in self.files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(written(content))
        lock = {"schema": "2.0", "stages": {name: self.locked(name) for name in STAGES}}
        (self.root / "dvc.lock").write_text(json.dumps(lock))
        return self

    def locked(self, name: str) -> dict[str, Any]:
        deps, outs, params = STAGES[name][0], STAGES[name][1], self.params[name]
        return {
            "cmd": f"python -m stages.{name}",
            "deps": [{"path": path, "hash": "md5", "md5": self.md5(path)} for path in deps],
            "params": {"params.yaml": params, "code.json": {name: self.code[name]}},
            "outs": [{"path": path, "hash": "md5", "md5": self.md5(path)} for path in outs],
        }

    def md5(self, path: str) -> str:
        inside = [written(self.files[name]) for name in self.files if name.startswith(path)]
        return hashlib.md5("".join(inside or [self.raw]).encode()).hexdigest()

    def record(self, name: str, **environment: Any) -> None:
        """Note who made a stage's outputs."""
        precision = environment.pop("precision", "")
        Maker(name, environment, precision).record([Path(path) for path in STAGES[name][1]])

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "run")

    def states(self, tolerance: float = 0.02) -> dict[str, str]:
        return {stage.name: stage.state.value for stage in self.compared(tolerance).stages}

    def compared(self, tolerance: float = 0.02) -> Comparison:
        return compare(self.root, "HEAD", tolerance)

    def told(self) -> str:
        return describe(self.compared())


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """After a first run, committed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    repository = Repository(tmp_path).run()
    repository.commit()
    return repository


def verify(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["verify", *arguments])
    return result.exit_code, result.output


SAME, WITHIN, DIFFERS, EXPECTED = (
    *("same bytes", "within tolerance"),
    *("DIFFERS", "differs as expected"),
)


def test_the_same_bytes_are_reproduced_in_the_graphs_order(repository: Repository) -> None:
    assert list(repository.states()) == ["ingest", "train", "evaluate@one", "report"]
    assert set(repository.states().values()) == {SAME}
    code, text = verify()
    assert (code, text.splitlines()[-1]) == (0, "Reproduced to the last byte, by dvc.lock.")


def test_new_metrics_are_a_change_of_the_stage(repository: Repository) -> None:
    lock = json.loads((repository.root / "dvc.lock").read_text())
    md5 = hashlib.md5(b"{}").hexdigest()
    lock["stages"]["train"]["outs"].append({"path": "metrics/new.json", "md5": md5})
    (repository.root / "dvc.lock").write_text(json.dumps(lock))
    (repository.root / "metrics/new.json").write_text("{}")
    assert repository.states()["train"] == EXPECTED


def test_other_last_bits_are_within_tolerance_and_the_first_stage_is_named(
    repository: Repository,
) -> None:
    repository.files["models/weights"] = "other weights"
    repository.files["metrics/train.json"]["dev"]["loss"] = 0.501
    repository.files["metrics/evaluate.json"]["accuracy"] = 0.91
    repository.files["reports/page.html"] = "another page"
    repository.run()
    assert repository.states() == {
        **{"ingest": SAME, "train": WITHIN, "evaluate@one": WITHIN, "report": WITHIN}
    }
    code, text = verify()
    assert code == 0
    assert "Bytes part first at train: its inputs are the same" in text
    assert text.splitlines()[-1] == "Reproduced within tolerance."


def test_what_lies_beyond_tolerance_is_told_with_its_figures(repository: Repository) -> None:
    repository.files["models/weights"] = "other weights"
    repository.files["metrics/evaluate.json"] |= {"accuracy": 0.8, "passed": False}
    repository.run()
    assert repository.states() | {"report": ""} == {
        **{"ingest": SAME, "train": WITHIN, "evaluate@one": DIFFERS, "report": ""}
    }
    code, text = verify()
    assert code == 1
    assert "2 of its figures: metrics/evaluate.json passed True -> False" in text
    assert "metrics/evaluate.json accuracy 0.9 -> 0.8" in text
    assert "Diverged: evaluate@one lies beyond tolerance first." in text


def test_a_wider_tolerance_lets_more_pass(repository: Repository) -> None:
    repository.files["metrics/evaluate.json"]["accuracy"] = 0.85
    repository.run()
    assert verify()[0] == 1
    assert verify("--tolerance", "0.06")[0] == 0
    assert verify("--tolerance", "0")[0] == 1


def test_a_stage_without_figures_may_only_follow_its_inputs(repository: Repository) -> None:
    repository.files["reports/page.html"] = "another page"
    repository.run()
    assert repository.states()["report"] == DIFFERS
    repository.files["metrics/evaluate.json"]["accuracy"] = 0.901
    repository.run()
    assert repository.states()["report"] == WITHIN


def test_other_bytes_with_the_same_metrics_are_within_tolerance(repository: Repository) -> None:
    repository.files["data/more"] = "rows in another order"
    repository.run()
    assert repository.states()["ingest"] == WITHIN
    assert "other bytes in data/more" in repository.told()


@pytest.mark.parametrize("change", ["params", "code", "raw data", "command"])
def test_a_change_of_the_stage_makes_a_difference_expected(
    repository: Repository, change: str
) -> None:
    stage, told = "train", ""
    if change == "params":
        repository.params["train"]["base"]["num_threads"] = 1
        told = "base.num_threads 2 -> 1"
    elif change == "code":
        repository.code["train"] = "other code"
        told = "its code"
    elif change == "command":
        repository.locked = lambda name: Repository.locked(repository, name) | {"cmd": "other"}
        told = "its entry in dvc.yaml"
    else:
        stage, told = "ingest", "data/raw"
        repository.raw = "other raw rows"
        repository.files["metrics/ingest.json"]["rows_in"] = 90
    repository.files["models/weights"] = "other weights"
    repository.files["metrics/evaluate.json"]["accuracy"] = 0.2
    repository.run()
    found = {one.name: one for one in repository.compared().stages}
    assert found[stage].state == EXPECTED
    assert told in found[stage].changes
    if change in ("params", "code"):
        assert found["evaluate@one"].state == EXPECTED
        code, text = verify()
        assert code == 0
        assert "evaluate@one  differs as expected reads from train" in text
        assert "Not comparable: train, evaluate@one" in text


def test_a_change_that_changes_no_output_is_none(repository: Repository) -> None:
    repository.code["train"] = "other code"
    repository.run()
    assert repository.states()["train"] == SAME


def test_the_first_stage_comes_with_what_differs_in_how_it_was_made(
    repository: Repository,
) -> None:
    there = {"features": ["avx2", "avx512_bf16"], "packages": {"torch": "2.13.0+cpu"}}
    repository.record("train", **there, precision="bf16")
    repository.commit()
    repository.files["models/weights"] = "other weights"
    repository.run()
    here = {
        "features": ["avx2", "amx_tile"],
        "packages": {"torch": "2.12.0"},
        "settings": {"A": "1"},
    }
    repository.record("train", **here, precision="fp32")
    assert list(repository.compared().reasons) == [
        "precision: bf16 -> fp32",
        "variable A: not set -> 1",
        "instruction sets not here: avx512_bf16",
        "instruction sets only here: amx_tile",
        "package torch: 2.13.0+cpu -> 2.12.0",
    ]
    assert "  package torch: 2.13.0+cpu -> 2.12.0\n" in repository.told()


def test_the_same_environment_points_at_the_stage(repository: Repository) -> None:
    repository.record("train", packages={})
    repository.commit()
    repository.files["models/weights"] = "other weights"
    repository.run()
    repository.record("train", packages={})
    assert "so the stage itself may not repeat" in repository.told()


def test_an_unknown_maker_is_said_to_be_unknown(repository: Repository) -> None:
    repository.files["models/weights"] = "other weights"
    repository.run()
    assert f"has no {RECORD_FILE}" in repository.told()
    repository.record("train", packages={})
    repository.commit()
    repository.files["models/weights"] = "weights from a cache"
    repository.run()
    assert "does not know who made the outputs here" in repository.told()


def test_a_record_that_speaks_of_others_than_the_committed_outputs_names_no_maker(
    repository: Repository,
) -> None:
    repository.record("train", packages={"torch": "1"})
    repository.files["metrics/train.json"]["steps"] = 41
    repository.run().commit()
    repository.files["models/weights"] = "other weights"
    repository.run()
    repository.record("train", packages={"torch": "2"})
    text = repository.told()
    assert "speaks of other outputs than those committed there" in text
    assert "package torch" not in text


@pytest.mark.parametrize(
    ("before", "now", "beyond"),
    [
        ({"rows": 10}, {"rows": 11}, True),
        ({"name": "a"}, {"name": "b"}, True),
        ({"passed": True}, {"passed": False}, True),
        ({"passed": True}, {"passed": 1}, True),
        ({"value": None}, {"value": 0.0}, True),
        ({"accuracy": 0.5}, {}, True),
        ({}, {"accuracy": 0.5}, True),
        ({"accuracy": 0.5}, {"accuracy": 0.519}, False),
        ({"accuracy": 0.5}, {"accuracy": 0.521}, True),
        ({"mean_norm": 18.0}, {"mean_norm": 18.3}, False),
        ({"mean_norm": 18.0}, {"mean_norm": 18.4}, True),
        ({"loss": 0.1}, {"loss": 0.101}, False),
        ({"loss": 0.1}, {"loss": 0.103}, True),
        ({"nll": 3.0}, {"nll": 3.05}, False),
        ({"best_epoch": 3}, {"best_epoch": 7}, False),
        ({"best_epoch": 3, "epochs": 7}, {"best_epoch": 4, "epochs": 8}, False),
        ({"best_epoch": 3, "epochs": 7}, {"best_epoch": 3, "epochs": 8}, True),
        ({"backward_passes": 900}, {"backward_passes": 1200}, False),
        ({"checks": {"says": "At most 0.1."}}, {"checks": {"says": "At most 0.2."}}, False),
        ({"p_value": 0.01}, {"p_value": 0.9}, False),
        ({"recall": 0.8, "support": 10}, {"recall": 0.6, "support": 10}, False),
        ({"recall": 0.8, "support": 10}, {"recall": 0.59, "support": 10}, True),
        (
            {"precision": 1.0, "recall": 0.4, "support": 20},
            {"precision": 0.8, "recall": 0.4, "support": 20},
            False,
        ),
        (
            {"precision": 1.0, "recall": 0.9, "support": 20},
            {"precision": 0.8, "recall": 0.9, "support": 20},
            True,
        ),
        ({"confusion_matrix": [[40, 3]]}, {"confusion_matrix": [[38, 5]]}, False),
        ({"confusion_matrix": [[40, 3]]}, {"confusion_matrix": [[37, 6]]}, True),
        ({"linear": 3}, {"linear": 4}, True),
        ({"image": {"near": 3}}, {"image": {"near": 4}}, False),
        ({"labels": ["a"]}, {"labels": ["a", "b"]}, True),
    ],
)
def test_each_kind_of_figure_has_its_tolerance(before: Any, now: Any, beyond: bool) -> None:
    content = (json.dumps(before).encode(), json.dumps(now).encode())
    found = differences("metrics/it.json", *content, 0.02, Splits())
    assert found
    assert any(one.is_beyond for one in found) == beyond


def committed(name: str) -> Any:
    """Metrics of a whole run, as this repository has them."""
    return joined(json.loads((REPOSITORY / "metrics" / name).read_text()))


SPLITS = Splits.read((REPOSITORY / "metrics/ingest.json").read_bytes())


def beyond(before: Any, now: Any, splits: Splits = SPLITS) -> list[str]:
    contents = (json.dumps(before).encode(), json.dumps(now).encode())
    return [str(one) for one in differences("m", *contents, 0.02, splits) if one.is_beyond]


def rescored(metrics: Any, matrix: list[list[int]]) -> Any:
    """Metrics of other answers: what a confusion matrix has, and the figures that follow."""
    now = copy.deepcopy(metrics) | {"confusion_matrix": matrix}
    per_class = now["per_class"]
    for index, label in enumerate(now["labels"]):
        right, support = matrix[index][index], sum(matrix[index])
        predicted = sum(row[index] for row in matrix)
        per_class[label] |= {
            "recall": round(right / support, 6),
            "precision": round(right / predicted, 6),
            "f1": round(2 * right / (support + predicted), 6),
        }
    now["accuracy"] = sum(row[i] for i, row in enumerate(matrix)) / now["rows"]
    now["macro_f1"] = sum(one["f1"] for one in per_class.values()) / len(per_class)
    for name in ("accuracy", "macro_f1"):
        now["presence"]["image+text"][name] = now[name]
        for end in ("low", "high"):
            now["intervals"][name][end] += now[name] - metrics[name]
    return now


@pytest.mark.parametrize("model", ["finetuned", "adversarial"])
def test_two_answers_of_a_real_run_may_flip_from_any_label_to_any_other(model: str) -> None:
    metrics = committed(f"evaluate/{model}.json")
    size = len(metrics["labels"])
    for actual, predicted in itertools.permutations(range(size), 2):
        matrix = copy.deepcopy(metrics["confusion_matrix"])
        matrix[actual][actual] -= 2
        matrix[actual][predicted] += 2
        assert beyond(metrics, rescored(metrics, matrix)) == []
    check = metrics["robustness"]["audit"]["checks"]["black_box"]
    other = copy.deepcopy(metrics)
    other["robustness"]["audit"]["checks"]["black_box"] |= {
        "found": check["found"] + 2 / 16,
        "says": "another sentence",
    }
    assert beyond(metrics, other) == []


def test_a_real_run_that_is_worse_differs() -> None:
    metrics = committed("evaluate/finetuned.json")
    worse = metrics | {"accuracy": metrics["accuracy"] - 0.1}
    assert [one.split()[1] for one in beyond(metrics, worse)] == ["accuracy"]
    metrics = committed("adversarial_finetune.json")
    worse = copy.deepcopy(metrics) | {"best_epoch": 3, "epochs": 7}
    worse["dev"]["accuracy"] -= 0.1
    assert [one.split()[1] for one in beyond(metrics, worse)] == ["dev.accuracy"]


@pytest.mark.parametrize("stage", ["adversarial_finetune", "finetune"])
def test_the_next_epoch_of_a_real_run_may_be_best(stage: str) -> None:
    metrics = committed(f"{stage}.json")
    best, last = metrics["best_epoch"], metrics["epochs"]
    other = best + 1 if best < last else best - 1
    steps = metrics["steps"] // last * (last + 1)
    now = copy.deepcopy(metrics) | {"best_epoch": other, "epochs": last + 1, "steps": steps}
    for line in (REPOSITORY / f"metrics/history/{stage}.csv").read_text().splitlines():
        epoch, split, name, value = line.split(",")
        if epoch == str(other) and name in now[split]:
            now[split][name] = float(value)
    assert now["dev"]["loss"] != metrics["dev"]["loss"]
    assert beyond(metrics, now) == []
    assert beyond(metrics, now | {"best_epoch": metrics["best_epoch"]})


def test_few_rows_of_a_split_widen_what_its_scores_may_move() -> None:
    before, now = (
        {"best_epoch": 2, "dev": {"accuracy": value}, "objectives": {"nsp": {"accuracy": value}}}
        for value in (0.9, 0.8)
    )
    small = Splits.read(json.dumps({"splits": {"dev": 20}, "labels": {"a": 5, "b": 15}}).encode())
    assert small == Splits({"dev": 20}, balance=0.5)
    assert beyond(before, now, small) == []
    assert len(beyond(before, now)) == 2


def test_the_furthest_figure_comes_first() -> None:
    before, now = {"a": 0.5, "b": 0.5, "c": 0.5}, {"a": 0.51, "b": 0.9, "c": 0.5}
    contents = (json.dumps(before).encode(), json.dumps(now).encode())
    found = differences("m.json", *contents, 0.02, Splits())
    assert list(map(str, found)) == ["m.json b 0.5 -> 0.9", "m.json a 0.5 -> 0.51"]


def test_stages_that_came_and_went_are_told(repository: Repository) -> None:
    lock = json.loads((repository.root / "dvc.lock").read_text())
    lock["stages"]["extra"] = lock["stages"].pop("report")
    (repository.root / "dvc.lock").write_text(json.dumps(lock))
    repository.declare(
        ingest={}, train={}, evaluate={"matrix": {"model": ["one", "two"]}}, extra={}
    )
    text = repository.told()
    assert "report        no longer in dvc.yaml" in text
    assert "extra         differs as expected not in HEAD" in text


def test_cells_and_stages_that_are_declared_no_more_are_left_out(repository: Repository) -> None:
    (repository.root / "metrics/evaluate.json").unlink()
    repository.declare(ingest={}, train={}, evaluate={"matrix": {"model": ["two"]}}, report={})
    assert list(repository.states()) == ["ingest", "train", "report"]
    assert "evaluate@one  no longer in dvc.yaml" in repository.told()
    repository.declare(other={})
    assert verify()[0] == 0
    assert repository.told().splitlines()[-1].startswith("Nothing to compare")


def test_a_lock_without_stages_is_nothing_to_compare(repository: Repository) -> None:
    (repository.root / "dvc.lock").write_text("schema: '2.0'\n")
    repository.commit()
    assert repository.told().splitlines()[-1].startswith("Nothing to compare")


def test_cells_are_spelled_as_dvc_does(tmp_path: Path) -> None:
    matrix = {"a": ["x", 1, True], "b": [{"c": 1}, [2]]}
    stages = {
        **{"plain": {"cmd": "x"}, "cells": {"matrix": matrix, "cmd": "x"}},
        **{"open": {"matrix": {"a": "${names}"}}, "each": {"foreach": ["x"], "do": {"cmd": "x"}}},
    }
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    declared = Declared(tmp_path)
    for name in ("plain", "cells@x-b0", "cells@1-b1", "cells@true-b0", "open@any", "each@x"):
        assert name in declared
    for name in ("cells", "cells@y-b0", "plain@x", "other", "open"):
        assert name not in declared
    for name in declared_stages(REPOSITORY):
        assert name in Declared(REPOSITORY)


def test_bad_use_is_one_message_and_status_2(repository: Repository, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        code, text = verify(*arguments)
        assert code == 2
        assert "Traceback" not in text
        return text

    assert "nowhere: no such revision." in refused("nowhere")
    assert "--output=x: no such revision" in refused("--", "--output=x")
    assert "Usage" in refused("--tolerance", "-1")
    (tmp_path / "metrics/train.json").write_text("{}")
    assert "metrics/train.json: not what dvc.lock says" in refused()
    (tmp_path / "metrics/train.json").unlink()
    assert "metrics/train.json: not found, so there is nothing to compare" in refused()
    repository.run()
    (tmp_path / "models/weights").unlink()
    assert "models/weights: not found, so there is nothing to compare" in refused()
    repository.run()
    lock = json.loads((tmp_path / "dvc.lock").read_text())
    del lock["stages"]["train"]
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))
    assert "train: never run here. Run `dvc repro` first." in refused()
    (tmp_path / "dvc.lock").write_text("<<<<<<< HEAD\n: [")
    assert "dvc.lock: expected a lock file of DVC" in refused()
    (tmp_path / "dvc.lock").unlink()
    assert "dvc.lock: not found. Run `dvc repro`" in refused()
    repository.commit()
    assert ":dvc.lock: not found" in refused()


def test_outside_of_git_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Repository
) -> None:
    (tmp_path / ".git").rename(tmp_path / "git")
    assert verify()[0] == 2
    assert "no git repository here (not a git repository" in verify()[1]


def test_a_revision_gives_files_and_not_folders(repository: Repository) -> None:
    revision = commit_of(repository.root, "HEAD")
    assert json.loads(revision.read("metrics/ingest.json") or b"") == FILES["metrics/ingest.json"]
    assert revision.read("metrics") is None
    assert revision.read("nowhere") is None


def test_nothing_is_checked_out(repository: Repository) -> None:
    repository.files["models/weights"] = "other weights"
    repository.run()
    before = {path: path.read_bytes() for path in repository.root.rglob("*") if path.is_file()}
    verify("HEAD")
    now = {path: path.read_bytes() for path in repository.root.rglob("*") if path.is_file()}
    assert now == before


def test_a_circle_in_a_lock_is_named() -> None:
    entries = {
        name: {
            "cmd": name,
            "deps": [{"path": read, "md5": "1"}],
            "outs": [{"path": name, "md5": "2"}],
        }
        for name, read in (("a", "b"), ("b", "a"))
    }
    stages = read_lock(json.dumps({"stages": entries}).encode(), "dvc.lock")
    with pytest.raises(ConfigError, match=r"found a circle: (a < b < a|b < a < b)\."):
        in_order(stages)


def test_a_lock_is_read_in_the_graphs_order_with_any_kind_of_hash() -> None:
    lock = {
        "b": {"cmd": "b", "deps": [{"path": "a/part", "md5": "1"}], "outs": []},
        "a": {
            "cmd": "a",
            "deps": [{"path": "https://host/rows", "etag": "x"}],
            "outs": [{"path": "a", "hash": "md5", "md5": "2.dir"}],
        },
    }
    stages = in_order(read_lock(json.dumps({"stages": lock}).encode(), "dvc.lock"))
    assert list(stages) == ["a", "b"]
    assert stages["a"].deps == {"https://host/rows": "x"}
