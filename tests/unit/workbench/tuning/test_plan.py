"""A plan is refused before any trial, with the key and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from ruamel.yaml import YAML

from fuseline.config import read_yaml
from fuseline.errors import ConfigError
from fuseline.workbench.tuning.experiment import setting, stages_read
from fuseline.workbench.tuning.plan import Choices, Plan, read_plan
from fuseline.workbench.tuning.space import check_space
from tests.support.repository import REPOSITORY

RATE = "finetune.training.learning_rate"
READ = ["base", "pretrain", "finetune"]


def content(**changes: Any) -> dict[str, Any]:
    return {
        "study": "rates",
        "metric": "metrics/finetune.json:dev.macro_f1",
        "direction": "maximize",
        "trials": 3,
        "seed": 0,
        "pruner": {"kind": "none"},
        "space": {RATE: {"kind": "log", "low": 1e-5, "high": 1e-3}},
    } | changes


def read(tmp_path: Path, **changes: Any) -> Plan:
    path = tmp_path / "tune.yaml"
    YAML().dump(content(**changes), path)
    return read_plan(path)


def check(tmp_path: Path, space: dict[str, Any]) -> None:
    plan = read(tmp_path, space=space)
    check_space(plan, tmp_path / "tune.yaml", read_yaml(REPOSITORY / "params.yaml"), READ)


def test_a_plan_names_its_stage_and_figure(tmp_path: Path) -> None:
    plan = read(tmp_path)
    assert (plan.stage, plan.metrics_file) == ("finetune", "metrics/finetune.json")
    assert (plan.metric_key, plan.epoch_figure) == ("dev.macro_f1", "macro_f1")
    plan = read(tmp_path, metric="metrics/pretrain.json:objectives.itm.loss")
    assert (plan.stage, plan.epoch_figure) == ("pretrain", "itm_loss")


@pytest.mark.parametrize(
    "metric",
    [
        "metrics/evaluate/finetuned.json:accuracy",
        "metrics/stress.json:text",
        "metrics/prompt.json:x",
    ],
)
def test_choosing_by_the_test_split_is_refused(tmp_path: Path, metric: str) -> None:
    with pytest.raises(ConfigError, match="by the test split would spend it"):
        read(tmp_path, metric=metric)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("metrics/finetune.json:train.loss", "'train.loss' is no development figure of finetune"),
        ("metrics/pretrain.json:best_epoch", "Expected loss or objectives.<name>.loss"),
        ("accuracy", "as metrics/finetune.json:dev.loss"),
    ],
)
def test_other_figures_are_refused(tmp_path: Path, metric: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, metric=metric)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, r"tune\.trials: "),
        ({"sede": 1}, r"tune\.sede: unknown key.*Did you mean 'seed'"),
        ({"study": "my study"}, r"tune\.study: "),
        ({"pruner": {"kind": "nothing"}}, r"tune\.pruner: "),
        ({"space": {}}, r"tune\.space: "),
        ({"space": {RATE: {"kind": "log", "low": 0.0, "high": 1.0}}}, "greater than 0"),
        ({"space": {RATE: {"kind": "float", "low": 1.0, "high": 0.5}}}, "1 is not below 0.5"),
        ({"space": {RATE: {"kind": "int", "low": 0.5, "high": 2}}}, "valid integer"),
        ({"space": {RATE: {"kind": "categorical", "choices": [1]}}}, "at least 2 items"),
        *(
            ({"space": {RATE: {"kind": "categorical", "choices": ["a", text]}}}, "of ASCII but for")
            for text in ("a\\b", "${a}", "h\u00e9", "a\nb", "a\tb")
        ),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, **changes)


@pytest.mark.parametrize(
    "text", ['it\'s a "{label}"', "a, b: [c] #d", "", "null", "1e-3", "~!@%^&*()|"]
)
def test_texts_that_are_allowed_reach_the_params_as_they_are(tmp_path: Path, text: str) -> None:
    plan = read(tmp_path, space={RATE: {"kind": "categorical", "choices": [text, None]}})
    domain = plan.space[RATE]
    assert isinstance(domain, Choices)
    path = tmp_path / "params.yaml"
    for choice in domain.choices:
        path.write_text("base: {text: before}\n")
        overrides = to_path_overrides([setting("base.text", choice)])["params.yaml"]
        assert not any(one.is_sweep_override() for one in to_hydra_overrides(overrides))
        apply_overrides(path, overrides)
        assert read_yaml(path) == {"base": {"text": choice}}


def test_a_file_that_is_not_there_or_not_yaml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: not found.*example"):
        read_plan(tmp_path / "none.yaml")
    (tmp_path / "tune.yaml").write_text("study: [")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        read_plan(tmp_path / "tune.yaml")


def test_the_plan_of_the_repository_is_good() -> None:
    path = REPOSITORY / "tune.yaml"
    plan, params = read_plan(path), read_yaml(REPOSITORY / "params.yaml")
    read = stages_read(REPOSITORY, plan.stage)
    assert {"base", "finetune", "pretrain", "extract_features.image"} <= set(read)
    assert "evaluate" not in read
    check_space(plan, path, params, read)


def test_a_good_space_passes(tmp_path: Path) -> None:
    check(
        tmp_path,
        {
            RATE: {"kind": "log", "low": 1e-5, "high": 1e-3},
            "finetune.freezing.policy": {"kind": "categorical", "choices": ["all", "head"]},
            "finetune.training.num_epochs": {"kind": "int", "low": 1, "high": 3},
        },
    )


def test_an_unknown_key_gets_a_suggestion(tmp_path: Path) -> None:
    key = "finetune.training.learningrate"
    with pytest.raises(ConfigError, match=f"{key}: params.yaml has no.*Did you mean '{RATE}'"):
        check(tmp_path, {key: {"kind": "float", "low": 0.1, "high": 0.2}})


def test_a_key_that_the_stage_does_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"report\.num_examples: no stage up to 'finetune' reads"):
        check(tmp_path, {"report.num_examples": {"kind": "int", "low": 1, "high": 2}})


def test_values_that_the_params_refuse_are_found_first(tmp_path: Path) -> None:
    space = {
        "finetune.freezing.policy": {"kind": "categorical", "choices": ["all", "heads"]},
        "finetune.label_smoothing": {"kind": "float", "low": 0.0, "high": 1.0},
    }
    with pytest.raises(ConfigError) as found:
        check(tmp_path, space)
    assert "finetune.freezing.policy: the value 'heads' is refused" in str(found.value)
    assert "finetune.label_smoothing: the value 1.0 is refused" in str(found.value)
    assert "'all' is refused" not in str(found.value)
