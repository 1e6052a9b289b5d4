"""Work follows the params and the rows: what doubles them doubles it."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuseline.config import read_yaml
from fuseline.params.whole import set_keys
from fuseline.workbench.estimate.asked import Asked
from fuseline.workbench.estimate.facts import Facts
from fuseline.workbench.estimate.work import Amounts, Work
from tests.support.repository import PARAMS_FILE

CONTENT = read_yaml(PARAMS_FILE)
FACTS = Facts(
    rows=2000.0,
    splits={"train": 1400.0, "dev": 300.0, "test": 300.0},
    held={"text": 2000.0, "image": 2000.0, "audio": 0.0, "video": 0.0, "tabular": 0.0},
    labels=8,
    tokens=10.0,
    told="2,000 rows",
)


def amounts(stage: str, facts: Facts = FACTS, cores: float = 1, **changes: Any) -> Amounts:
    content = copy.deepcopy(CONTENT)
    set_keys(content, {key.replace("__", "."): value for key, value in changes.items()})
    return Work(Asked.of(content), facts, cores).of(stage)


@pytest.mark.parametrize("stage", ["pretrain", "finetune", "adversarial_finetune"])
def test_twice_the_epochs_are_twice_the_training(stage: str) -> None:
    once = amounts(stage, **{f"{stage}__training__num_epochs": 4})
    twice = amounts(stage, **{f"{stage}__training__num_epochs": 8})
    assert twice["train_gmac"] == pytest.approx(2 * once["train_gmac"])
    assert twice["passes"] == pytest.approx(2 * once["passes"])
    assert twice["start"] == once["start"] == 1.0


@pytest.mark.parametrize(
    ("stage", "amount", "key", "factor", "before", "after"),
    [
        ("pretrain", "passes", "pretrain.training.batch_size", 0.5, 32, 64),
        ("pretrain", "passes", "pretrain.adversarial.method", 4.0, "none", "pgd"),
        ("adversarial_finetune", "train_gmac", "adversarial_finetune.attack.num_steps", 2.0, 1, 3),
        ("adversarial_finetune", "train_gmac", "adversarial_finetune.method", 0.5, "fgm", "free"),
        ("adversarial_finetune", "passes", "adversarial_finetune.attacked_share", 0.25, 1.0, 1e-9),
        ("prompt", "cells", "prompt.num_seeds", 2.0, 2, 4),
        ("leakage", "pairs", "leakage.max_rows", 4.0, 100, 200),
        ("extract_features@image", "picture_gmac", "extract_features.image.image_size", 4, 64, 128),
        # Of two noises, beside the clean text.
        ("stress", "text_gmac", "stress.text.strengths", 5 / 3, [0.1], [0.1, 0.2]),
        # Beside twice five scales off the headline; and those beside five restarts at it.
        ("evaluate@finetuned", "siege_gmac", "evaluate.robustness.num_restarts", 12 / 11, 1, 2),
        ("evaluate@finetuned", "siege_gmac", "evaluate.robustness.curve_restarts", 1.5, 1, 2),
    ],
)
def test_what_hangs_on_a_param_follows_it(
    stage: str, amount: str, key: str, factor: float, before: Any, after: Any
) -> None:
    others = {"stress.text.noises": ["insert", "swap"], "prompt.shots": [4]}
    changed = {name.replace(".", "__"): value for name, value in others.items()}
    now, then = (
        amounts(stage, **changed, **{key.replace(".", "__"): value})[amount]
        for value in (after, before)
    )
    assert now / then == pytest.approx(factor, rel=0.02)


def test_ten_times_the_rows_are_ten_times_the_work() -> None:
    more = FACTS.scaled(20_000)
    for stage in ("pretrain", "finetune", "adversarial_finetune"):
        assert amounts(stage, more)["train_gmac"] == pytest.approx(
            10 * amounts(stage)["train_gmac"]
        )
    # At most so many of them are compared, tested with prompts, or put under stress.
    assert amounts("leakage", FACTS.scaled(200_000))["rows"] == 20_000
    assert amounts("prompt", more)["test_gmac"] < 10 * amounts("prompt")["test_gmac"]
    assert amounts("stress", more)["text_gmac"] == amounts("stress")["text_gmac"]


def test_longer_texts_and_more_positions_are_more_arithmetic() -> None:
    base = amounts("finetune")["train_gmac"]
    assert amounts("finetune", extract_features__image__grid=8)["train_gmac"] > base
    alone = amounts("finetune", base__modalities=["text"])["train_gmac"]
    assert alone < base


@pytest.mark.parametrize("policy", ["all", "head", "lora", "top_k"])
def test_a_frozen_encoder_costs_less(policy: str) -> None:
    frozen = amounts("finetune", finetune__freezing__policy=policy)
    assert frozen["train_gmac"] < amounts("finetune")["train_gmac"]


def test_two_cores_share_the_pieces_and_no_more_of_them_than_there_are() -> None:
    one, two = (amounts("evaluate@finetuned", cores=cores) for cores in (1, 2))
    assert two["fits_gmac"] == pytest.approx(one["fits_gmac"] / 2)
    assert amounts("prompt", cores=64)["cells"] == amounts("prompt", cores=2)["cells"]
    assert two["start"] == 2.0
    assert amounts("finetune", cores=2)["train_gmac"] == pytest.approx(
        0.65 * amounts("finetune")["train_gmac"], rel=0.01
    )


def test_an_absent_modality_is_no_work() -> None:
    assert sum(amounts("extract_features@audio").values()) == 1.0
    none = FACTS.scaled(0)
    assert amounts("finetune", none)["train_gmac"] == 0


def test_a_stage_of_somebodys_own_is_not_known() -> None:
    assert amounts("mine") == {}


def test_a_text_encoder_in_a_folder_counts_as_what_it_says(tmp_path: Path) -> None:
    small = {"num_hidden_layers": 3, "hidden_size": 384, "vocab_size": 30522}
    (tmp_path / "config.json").write_text(json.dumps(small))
    text_only = {"base__modalities": ["text"]}
    half = amounts("finetune", tokenize__encoder=str(tmp_path), **text_only)
    whole = amounts("finetune", **text_only)
    assert half["train_gmac"] < 0.75 * whole["train_gmac"]
    unknown = amounts("finetune", tokenize__encoder=str(tmp_path / "none"), **text_only)
    assert unknown == whole


def test_auto_counts_as_what_it_chose_the_last_time() -> None:
    """`characters` has no layers; before any run `auto` counts as the encoder that comes along."""
    text_only = {"base__modalities": ["text"]}
    chosen = replace(FACTS, encoder="characters")
    named = amounts("finetune", tokenize__encoder="characters", **text_only)
    assert amounts("finetune", chosen, **text_only) == named
    assert named["train_gmac"] < amounts("finetune", **text_only)["train_gmac"]
    minilm = {"tokenize__encoder": "minilm", **text_only}
    assert amounts("finetune", chosen, **minilm) == amounts("finetune", **text_only)
    top = amounts("finetune", chosen, finetune__freezing__policy="top_k", **text_only)
    assert top["train_gmac"] > 0


def test_memory_and_disk_follow_models_rows_and_processes() -> None:
    asked = Asked.of(CONTENT)
    one, two = Work(asked, FACTS, 1), Work(asked, FACTS, 2)
    assert two.memory("evaluate@finetuned")["start"] == 3.0
    assert one.memory("evaluate@finetuned")["start"] == 1.0
    assert two.memory("finetune") == one.memory("finetune")
    assert one.memory("ingest")["weights_mb"] == 0.0
    assert one.disk("finetune")["weights_mb"] > 40
    twice = Work(asked, FACTS.scaled(4000), 1)
    assert twice.disk("extract_features@image")["values_mb"] == pytest.approx(
        2 * one.disk("extract_features@image")["values_mb"]
    )
