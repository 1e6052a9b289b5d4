"""Params are YAML 1.2, typed, complete, and errors name the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import load_yaml
from ruamel.yaml import __with_libyaml__

from fuseline.config import load_section, parse_section, read_yaml
from fuseline.errors import ConfigError
from fuseline.params.base import BaseParams
from fuseline.params.finetune import FinetuneParams
from fuseline.params.whole import SECTIONS, check
from tests.support.repository import REPOSITORY


@pytest.fixture
def content() -> dict[str, Any]:
    return read_yaml(REPOSITORY / "params.yaml")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-5", 1e-5), ("5.0e-4", 5e-4), ("on", "on"), ("no", "no"), ("null", None), ("010", 10)],
)
def test_yaml_is_read_as_1_2_here_and_in_dvc(tmp_path: Path, text: str, value: object) -> None:
    path = write(tmp_path, f"key: {text}\n")
    assert read_yaml(path) == load_yaml(path) == {"key": value}


def test_dvc_reads_yaml_in_c_and_finds_the_same() -> None:
    """Read in Python, `params.yaml` takes half of the time of a `dvc repro` with nothing to do."""
    assert __with_libyaml__
    for name in ("params.yaml", "dvc.yaml", "dvc.lock"):
        assert load_yaml(REPOSITORY / name) == read_yaml(REPOSITORY / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key: [1", "not readable as YAML 1.2"),
        ("- 1\n- 2\n", "expected a mapping, found list"),
        ("", "expected a mapping, found NoneType"),
        ("key: 1\nkey: 2\n", "not readable as YAML 1.2"),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_yaml(write(tmp_path, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"key: \xff\n")
    with pytest.raises(ConfigError, match=r"not readable as YAML 1\.2"):
        read_yaml(path)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"not found\. Run from the root of a Fuseline repository"
    ):
        read_yaml(tmp_path / "params.yaml")


def test_the_default_params_are_valid(content: dict[str, Any]) -> None:
    check(content)
    assert list(content) == list(SECTIONS)


def test_a_section_is_frozen(content: dict[str, Any]) -> None:
    base = parse_section(content, "base", BaseParams)
    with pytest.raises(ValueError, match="frozen"):
        base.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("base", "seed", "17", r"base\.seed: Input should be a valid integer; found '17'"),
        ("base", "seed", 1.5, r"base\.seed: Input should be a valid integer"),
        ("base", "seed", True, r"base\.seed: Input should be a valid integer"),
        ("base", "sede", 1, r"base\.sede: unknown key\. Valid keys here: .*Did you mean 'seed'\?"),
        ("base", "modalities", [], r"base\.modalities: List should have at least 1 item"),
        ("base", "modalities", ["smell"], r"base\.modalities\.0: Input should be 'text', 'image'"),
        ("finetune", "freezing", {"policy": "top_k"}, r"finetune\.freezing\.top_k: missing key"),
        ("ingest", "min_label_rows", 0, r"ingest\.min_label_rows: .* greater than or equal to 1"),
        (
            "ingest",
            "split",
            {"salt": 0, "train": 0.5, "dev": 0.2, "test": 0.2, "names": {}, "from_train": []},
            "must sum to 1",
        ),
        ("finetune", "label_smoothing", float("nan"), r"finetune\.label_smoothing: .*finite"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(
    content: dict[str, Any], section: str, key: str, value: object, message: str
) -> None:
    content[section][key] = value
    with pytest.raises(ConfigError, match=message):
        check(content)


@pytest.mark.parametrize("space", ["text_embedding", "image_feature"])
@pytest.mark.parametrize("value", [0, 0.0, -1.0])
def test_an_epsilon_of_zero_is_refused(content: dict[str, Any], space: str, value: float) -> None:
    content["adversarial_finetune"]["attack"]["epsilon"][space] = value
    message = rf"adversarial_finetune\.attack\.epsilon\.{space}: Input should be greater than 0"
    with pytest.raises(ConfigError, match=message):
        check(content)


def test_nested_unknown_keys_list_their_own_neighbours(content: dict[str, Any]) -> None:
    content["finetune"]["training"]["lr"] = 1.0
    with pytest.raises(ConfigError) as caught:
        parse_section(content, "finetune", FinetuneParams)
    assert "finetune.training.lr: unknown key." in str(caught.value)
    assert "learning_rate" in str(caught.value)
    assert "freezing" not in str(caught.value)


def test_every_problem_is_listed_at_once(content: dict[str, Any]) -> None:
    content["base"]["seed"] = "x"
    del content["report"]
    content["finetun"] = {}
    with pytest.raises(ConfigError) as caught:
        check(content)
    text = str(caught.value)
    assert "base.seed" in text
    assert "section 'report' is missing" in text
    assert "unknown section 'finetun'" in text
    assert "Did you mean 'finetune'?" in text


def test_every_key_of_every_section_is_required(content: dict[str, Any]) -> None:
    for section, kind in SECTIONS.items():
        for key in list(content[section]):
            shortened = {name: value for name, value in content[section].items() if name != key}
            with pytest.raises(ConfigError, match=rf"{section}\.{key}: missing key"):
                parse_section({section: shortened}, section, kind)


def test_a_section_is_loaded_from_its_file(tmp_path: Path) -> None:
    path = write(tmp_path, "base: {seed: 1, modalities: [text], num_threads: 1, precision: fp32}\n")
    assert load_section("base", BaseParams, path).seed == 1
