"""The whole stage on tiny rows: fixed keys, resuming, what cannot take part."""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from fuseline.errors import ConfigError, ContractError
from fuseline.learning.prompting import METHODS, run
from fuseline.learning.prompting.curves import summarise, write_curves
from fuseline.learning.tasks.base import Cells
from fuseline.params.finetune import TaskParams
from tests.support.prompt_material import BASE, params, tokenizer
from tests.support.tiny_models import pretrainer, rows
from tests.unit.learning.training.test_loop import Killed

LABEL = TaskParams(kind="classification", target="label", weight=1.0)
ANY = run.PromptInputs(*[Path()] * 5)
FAST = ["contrastive", "head", "probe"]


def task(kind="classification", target="label"):
    return TaskParams(kind=kind, target=target, weight=1.0)


@pytest.fixture
def staged(monkeypatch):
    """Rows and a model in place of artefacts; returns a way to run the stage."""
    asked: list[str] = []
    changed: dict[str, dict] = {}

    class Table:
        kinds: ClassVar = {"label": "category", "kind": "category", "price": "number"}
        folder, given_splits = Path("examples"), frozenset()

        def __init__(self, _folder, data, _tokenizer):
            self.data = data

        def cells(self, target):
            asked.append(target)
            names = [self.data.label_names[label] for label in self.data.labels]
            if target in changed:
                splits = self.data.splits
                names = [changed[target].get(s, n) for s, n in zip(splits, names, strict=True)]
            return Cells(names, [None] * len(names), self.data, tokenizer(), "examples")

    def go(work, data=None, modalities=("text", "image"), methods=FAST, tasks=(LABEL,), **changes):
        data = rows(120, modalities=modalities) if data is None else data

        class Loaded:
            @staticmethod
            def from_pretrained(_):
                return pretrainer(modalities=modalities)

        class Processor:
            def __init__(self):
                self.tokenizer = tokenizer()

            @classmethod
            def from_pretrained(cls, _):
                return cls()

        monkeypatch.setattr(run, "FuselineForPreTraining", Loaded)
        monkeypatch.setattr(run, "FuselineProcessor", Processor)
        monkeypatch.setattr(run, "load_data", lambda *_, **__: data)
        monkeypatch.setattr(run, "Examples", Table)
        base = BASE.model_copy(update={"modalities": list(modalities)})
        return run.prompt(
            ANY, params=params(methods=methods, **changes), tasks=tasks, base=base, work=work
        )

    go.asked, go.changed = asked, changed
    return go


def test_figures_have_fixed_keys(staged, tmp_path):
    metrics = staged(tmp_path)
    assert set(metrics) == {"rows", "labels", "chance", "shots", "methods"}
    assert metrics["shots"]["2"] == {"rows": 6, "short_labels": 0}
    assert set(metrics["methods"]) == {name for one in FAST for name in METHODS[one].variants}
    assert set(metrics["methods"]["head"]) == {"1", "2"}
    point = metrics["methods"]["contrastive"]["0"]
    assert point["seeds"] == 1 and point["accuracy"]["std"] == 0.0
    assert metrics["methods"]["head"]["2"]["seeds"] == 2
    json.dumps(metrics, allow_nan=False)


def test_without_text_word_methods_have_the_same_keys_and_no_seeds(staged, tmp_path):
    methods = ["cloze", "contrastive", "residual", "soft_prompt", "head", "probe"]
    metrics = staged(tmp_path, modalities=("image",), methods=methods)["methods"]
    for name in ("cloze", "cloze_calibrated", "contrastive", "residual", "soft_prompt"):
        assert all(point["seeds"] == 0 for point in metrics[name].values())
        assert metrics[name]["2"]["accuracy"] == {"mean": 0.0, "std": 0.0}
    assert all(point["seeds"] == 2 for point in metrics["head"].values())


def keys(metrics):
    """Names within names, without the values."""
    return {k: keys(v) for k, v in metrics.items()} if isinstance(metrics, dict) else None


WORD_METHODS = ["cloze", "contrastive", "residual", "soft_prompt"]


def in_another_script(label="猫"):
    data = rows(120)
    data.label_names[2] = label
    return data


def test_labels_of_another_script_leave_word_methods_out(staged, tmp_path, capsys):
    methods = [*WORD_METHODS, "head", "probe"]
    metrics = staged(tmp_path / "a", in_another_script(), methods=methods)
    said = capsys.readouterr().out
    assert (
        "the tokenizer knows nothing: 猫. So cloze, contrastive, residual, soft_prompt are" in said
    )
    for name in WORD_METHODS:
        assert all(point["seeds"] == 0 for point in metrics["methods"][name].values())
    for name in ("head", "probe"):
        assert all(point["seeds"] == 2 for point in metrics["methods"][name].values())
    named = {"label_words": {"猫": ["cat", "猫"]}}
    other = staged(tmp_path / "b", in_another_script(), methods=WORD_METHODS, **named)
    assert other["methods"]["contrastive"]["0"]["seeds"] == 1
    assert not capsys.readouterr().out


def test_label_words_of_which_the_tokenizer_knows_nothing_are_refused(staged, tmp_path):
    named = {"label_words": {"cat": ["猫", "🐈"]}}
    message = r"label_words: expected a word of label 'cat' .* found 猫, 🐈\. Give other words"
    with pytest.raises(ConfigError, match=message):
        staged(tmp_path, methods=WORD_METHODS, **named)
    metrics = staged(tmp_path, methods=["probe"], **named)
    assert metrics["methods"]["probe"]["1"]["seeds"] == 2


def test_text_alone_has_no_figures_of_media(staged, tmp_path):
    metrics = staged(tmp_path, modalities=("text",), methods=["contrastive"])["methods"]
    assert all(point["seeds"] == 0 for point in metrics["contrastive_media"].values())
    assert all(point["seeds"] > 0 for point in metrics["contrastive_text"].values())


def test_the_first_classification_is_learnt(staged, tmp_path):
    tasks = [task("regression", "price"), task(target="kind"), task(target="label")]
    staged(tmp_path, tasks=tasks, methods=["probe"])
    assert set(staged.asked) == {"kind"}


@pytest.mark.parametrize(
    ("split", "value", "why"),
    [
        ("train", "ant", "train split has fewer than two labels of 'kind'"),
        ("train", None, "train split has fewer than two labels of 'kind'"),
        ("test", None, "test split has no labelled rows for the task 'kind'"),
    ],
)
def test_a_further_classification_that_cannot_be_learnt_is_passed_over(
    staged, tmp_path, capsys, split, value, why
):
    staged.changed["kind"] = {split: value}
    first, spoilt = task("regression", "price"), task(target="kind")
    metrics = staged(tmp_path / "next", tasks=[first, spoilt, LABEL], methods=["probe"])
    assert staged.asked[-1] == "label"
    assert metrics["labels"] == 3
    assert metrics["methods"]["probe"]["2"]["seeds"] == 2
    said = capsys.readouterr().out
    assert "prompt: the task 'kind' is passed over." in said and why in said
    alone = staged(tmp_path / "none", tasks=[first, spoilt], methods=["probe"])
    assert keys(alone) == keys(metrics)
    assert alone["labels"] == alone["methods"]["probe"]["2"]["seeds"] == 0
    assert "nothing to ask for; all figures are 0" in capsys.readouterr().out
    with pytest.raises(ContractError, match=why):
        staged(tmp_path / "first", tasks=[spoilt, LABEL], methods=["probe"])


def test_a_target_that_is_not_there_is_refused(staged, tmp_path):
    tasks = [task("regression", "price"), task(target="kinds")]
    with pytest.raises(ConfigError, match=r"finetune\.tasks\[1\]\.target: .* found 'kinds'"):
        staged(tmp_path, tasks=tasks)


def test_without_a_classification_the_keys_are_the_same_and_nothing_is_run(
    staged, tmp_path, capsys
):
    metrics = staged(tmp_path / "none", tasks=[task("regression", "price")])
    assert not staged.asked
    assert "no task of `finetune.tasks` is a classification" in capsys.readouterr().out
    assert keys(metrics) == keys(staged(tmp_path / "some"))
    assert metrics["labels"] == metrics["rows"]["test"] == 0
    points = [point for points in metrics["methods"].values() for point in points.values()]
    assert points and all(point["seeds"] == 0 for point in points)


def test_zero_shot_alone_needs_no_training_rows(staged, tmp_path):
    metrics = staged(tmp_path, shots=[0])["methods"]
    assert set(metrics["contrastive"]) == {"0"} and metrics["contrastive"]["0"]["seeds"] == 1
    assert metrics["head"] == metrics["probe"] == {}


def test_no_test_row_is_ever_a_shot(staged, tmp_path, monkeypatch):
    data = rows(120)
    seen = []
    original = run._run_cell

    def noted(method, material, chosen, cell):
        seen.extend(material.data.example_ids[row] for row in chosen)
        assert not set(material.data.example_ids) & set(material.test.example_ids)
        return original(method, material, chosen, cell)

    monkeypatch.setattr(run, "_run_cell", noted)
    staged(tmp_path, data)
    split = dict(zip(data.example_ids, data.splits, strict=True))
    assert {split[name] for name in seen} == {"train"}


def test_all_methods_see_the_same_rows(staged, tmp_path, monkeypatch):
    seen = {}
    original = run._run_cell

    def noted(method, material, chosen, cell):
        names = [material.data.example_ids[row] for row in chosen]
        seen.setdefault(cell, []).append((names, material.test.example_ids))
        return original(method, material, chosen, cell)

    monkeypatch.setattr(run, "_run_cell", noted)
    staged(tmp_path)
    assert all(entry == entries[0] for entries in seen.values() for entry in entries)
    assert [len(seen[seed, 2]) for seed in (0, 1)] == [3, 3]


@pytest.mark.parametrize("after", [1, 4, 8])
def test_a_killed_run_goes_on_and_ends_with_the_same_figures(staged, tmp_path, monkeypatch, after):
    whole = staged(tmp_path / "whole")
    original, calls = run._run_cell, []

    def dying(*args):
        calls.append(args)
        if len(calls) > after:
            raise Killed
        return original(*args)

    monkeypatch.setattr(run, "_run_cell", dying)
    with pytest.raises(Killed):
        staged(tmp_path / "killed")
    calls.clear()
    monkeypatch.setattr(run, "_run_cell", lambda *args: calls.append(args) or original(*args))
    assert staged(tmp_path / "killed") == whole
    assert len(calls) == 5 + 4 + 4 - after


def test_a_large_test_split_is_sampled(staged, tmp_path):
    assert staged(tmp_path, max_test_rows=10)["rows"]["test"] == 10


def test_a_train_split_of_one_label_is_refused(staged, tmp_path):
    data = rows(120)
    data.labels[data.splits == "train"] = 1
    with pytest.raises(ContractError, match="train split has fewer than two labels of 'label'"):
        staged(tmp_path, data)


def test_a_test_split_without_labels_is_refused(staged, tmp_path):
    data = rows(120)
    data = data.take(np.flatnonzero(data.splits != "test"))
    with pytest.raises(ContractError, match="test split has no labelled rows for the task 'label'"):
        staged(tmp_path, data)


def test_the_spread_is_that_of_a_sample(tmp_path):
    cells = [{"accuracy": value, "macro_f1": 0.5} for value in (0.2, 0.4)]
    point = summarise(cells)
    assert point["accuracy"]["mean"] == pytest.approx(0.3)
    assert point["accuracy"]["std"] == pytest.approx(0.02**0.5)
    write_curves(tmp_path / "a.csv", {"head": {"1": point, "2": summarise([])}})
    table = pd.read_csv(tmp_path / "a.csv")
    assert table["metric"].tolist() == ["accuracy", "macro_f1"]
    assert table["shots"].tolist() == [1, 1]
