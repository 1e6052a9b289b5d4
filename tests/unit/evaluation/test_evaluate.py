"""The whole evaluation of an untrained model on a few drawn rows, from tables to metrics."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from fuseline.config import parse_section, read_yaml
from fuseline.contracts import (
    EXAMPLES,
    hash_path,
    predictions_schema,
    read_manifest,
    read_table,
)
from fuseline.data.dataset import load_data
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.extractors import EXTRACTORS
from fuseline.data.modalities.image.features import extract_image_features
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.evaluate import COMPARED, evaluate_model, headline
from fuseline.evaluation.pieces import EvaluationInputs
from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins
from fuseline.evaluation.twins.frozen import frozen_blocks
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.creation import create_model
from fuseline.learning.model.processing import create_processor
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.ingest import IngestParams
from fuseline.params.pretrain import PretrainParams
from fuseline.params.tokenize import TokenizeParams
from tests.support.kills import check_resuming
from tests.support.repository import PARAMS_FILE

# What is read from outside, and what the report and the plots need besides.
KEYS = {
    "accuracy", "macro_f1", "ece", "ece_raw", "robust_accuracy", "attack_success_rate", "text_only",
    "image_only", "shuffled", "twin", "twin_text_only", "twin_image_only", "intervals",
    "per_class", "labels", "confusion_matrix", "robustness", "rows", "presence", "task",
    "calibration", "selective", "slices", "modalities", "thresholds", "gains",
}  # fmt: skip
# The rows have no video.
EVERY = ["text", "image", "audio", "video", "tabular"]


@pytest.fixture(scope="module")
def content() -> dict:
    return read_yaml(PARAMS_FILE)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, content) -> EvaluationInputs:
    root = tmp_path_factory.mktemp("evaluate")
    ingest = parse_section(content, "ingest", IngestParams)
    present = [name for name in EVERY if name != "video"]
    changes = {"num_rows": 80, "image_size": 16, "modalities": present}
    synthetic = ingest.synthetic.model_copy(update=changes)
    ingest = ingest.model_copy(update={"source": "synthetic", "synthetic": synthetic})
    ingest_examples(ingest, root / "examples", root / "quarantine", raw=root / "raw")
    tokenize = parse_section(content, "tokenize", TokenizeParams)
    small = tokenize.scratch.model_copy(update={"hidden_size": 16, "num_layers": 1})
    tokenize = tokenize.model_copy(update={"encoder": "scratch", "scratch": small})
    tokenize_examples(root / "examples", root / "tokens", root / "tokenizer", tokenize)
    write_features(root, content)
    return EvaluationInputs(
        model=write_model(root, content),
        examples=root / "examples",
        tokens=root / "tokens",
        tokenizer=root / "tokenizer",
        features=root / "features",
    )


def write_features(root: Path, content: dict) -> None:
    params = parse_section(content, "extract_features", ExtractFeaturesParams)
    changes = {"encoder": "patches", "image_size": 16, "grid": 2}
    image = params.image.model_copy(update=changes)
    audio = params.audio.model_copy(update={"num_mels": 8, "positions": 4, "sampling_rate": 8000})
    params = params.model_copy(update={"image": image, "audio": audio})
    for name, extract in EXTRACTORS.items():
        extract(root / "examples", root / "features" / name, getattr(params, name), "fp32")


def write_model(root: Path, content: dict) -> Path:
    shape = parse_section(content, "pretrain", PretrainParams).model
    fusion = shape.fusion.model_copy(update={"num_layers": 1, "num_heads": 2})
    shape = shape.model_copy(update={"hidden_size": 16, "fusion": fusion})
    torch.manual_seed(0)
    pretrained = create_model(shape, root / "tokenizer", root / "features", EVERY)
    labels = read_manifest(root / "examples", "examples")["labels"]
    pretrained.save_pretrained(root / "pretrained")
    FuselineForTasks.from_pretrained(
        root / "pretrained",
        tasks=[
            {
                "name": "label",
                "kind": "classification",
                "target": "label",
                "weight": 1.0,
                "head": {"kind": "pooled", "size": len(labels)},
                "facts": {"labels": labels},
            }
        ],
    ).save_pretrained(root / "model")
    create_processor(root / "tokenizer", root / "features", EVERY).save_pretrained(root / "model")
    return root / "model"


def settings(content: dict, **changes: object) -> tuple[EvaluateParams, BaseParams]:
    params = parse_section(content, "evaluate", EvaluateParams)
    attack = params.robustness.attack.model_copy(update={"num_steps": 2})
    audit = params.robustness.audit.model_copy(update={"max_rows": 4, "black_box_queries": 3})
    pixels = params.robustness.image_pixel.model_copy(update={"max_rows": 5})
    cut = {
        "attack": attack,
        "num_restarts": 1,
        "curve_restarts": 1,
        "audit": audit,
        "image_pixel": pixels,
    }
    robustness = params.robustness.model_copy(update=cut)
    trust = params.trust.model_copy(update={"num_resamples": 40, "min_slice_rows": 2})
    base = parse_section(content, "base", BaseParams)
    return (
        params.model_copy(update={"robustness": robustness, "trust": trust}),
        base.model_copy(update={"num_threads": 1, **changes}),
    )


def run(inputs: EvaluationInputs, out: Path, content: dict, **changes: object) -> dict:
    params, base = settings(content, **changes)
    return evaluate_model(
        "finetuned",
        inputs,
        out / "predictions",
        out / "plots",
        params=params,
        base=base,
        work=out / "work",
    )


def numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


def test_the_predictions_table_has_the_probabilities_that_the_headline_error_is_of(
    inputs, tmp_path, content
):
    found = run(inputs, tmp_path, content)
    schema = predictions_schema(len(found["labels"]))
    table = read_table(tmp_path / "predictions", schema, "predictions")
    probabilities = np.array(table["probabilities"].to_pylist())
    labels = np.array([found["labels"].index(name) for name in table["label"].to_pylist()])
    bins = reliability_bins(probabilities, labels, 15)
    assert found["ece"] == pytest.approx(expected_calibration_error(bins), abs=1e-5)
    assert found["ece"] != found["ece_raw"]


@pytest.mark.parametrize("modalities", [["text", "image"], ["text"], ["image"], EVERY])
def test_keys_are_fixed_and_numbers_finite(inputs, tmp_path, content, modalities):
    found = run(inputs, tmp_path, content, modalities=modalities)
    more = set(modalities) - {"text", "image"}
    keys = {f"{name}_only" for name in more} | {f"twin_{name}_only" for name in more}
    if len(modalities) > 2:
        keys |= {f"without_{name}" for name in modalities}
    assert set(found) == KEYS | keys
    assert set(found["gains"]) == (set(modalities) if len(modalities) > 1 else set())
    assert found["modalities"] == [name for name in modalities if name != "video"]
    assert set(COMPARED) <= set(headline(found))
    assert not {"ece_raw", "rows", "tabular_only"} & set(headline(found))
    assert len(found["presence"]) == 2 ** len(modalities)
    assert sum(figures["rows"] for figures in found["presence"].values()) == found["rows"]
    for name in ("text_only", "image_only", "shuffled", "twin", "twin_text_only"):
        assert {"accuracy", "macro_f1"} <= set(found[name])
    assert all(math.isfinite(number) for number in numbers(found))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_pictures_are_attacked_where_rows_have_any(inputs, tmp_path, content):
    found = run(inputs, tmp_path, content)["robustness"]["image_pixel"]
    assert found["rows"] == 5
    assert found["epsilon"] == {"image_pixel": 2.0}
    assert found["max_delta_norm"] == pytest.approx(2.0)
    assert "not_weaker_than_fgm" in found["audit"]["checks"]
    assert found["audit"]["rows"] <= 4
    without = run(inputs, tmp_path, content, modalities=["text"])["robustness"]
    assert "image_pixel" not in without


def test_a_gate_that_fails_leaves_nothing_half_written(inputs, tmp_path, content):
    """Nothing stands after three tiny steps, but FGM is stronger: some check fails."""
    params, base = settings(content)
    strict = {"gate": "fail", "max_robust_accuracy": 0.0, "tolerance": 0.0}
    audit = params.robustness.audit.model_copy(update=strict)
    attack = params.robustness.attack.model_copy(
        update={"epsilon": {"image_feature": 1e-6, "text_embedding": 1e-6}}
    )
    robustness = params.robustness.model_copy(update={"audit": audit, "attack": attack})
    with pytest.raises(ContractError, match=r"falls_to_chance: Robust accuracy at 8 times"):
        evaluate_model(
            "finetuned",
            inputs,
            tmp_path / "predictions",
            tmp_path / "plots",
            params=params.model_copy(update={"robustness": robustness}),
            base=base,
            work=tmp_path / "work",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
    assert not (tmp_path / "work" / "audit.json").exists()


def test_twice_the_same_inputs_give_the_same_outputs(inputs, tmp_path, content):
    first = run(inputs, tmp_path / "one", content)
    assert run(inputs, tmp_path / "two", content) == first
    assert hash_path(tmp_path / "one") == hash_path(tmp_path / "two")


def test_a_killed_run_goes_on_part_by_part_and_ends_with_the_same_bytes(
    inputs, tmp_path, content, monkeypatch
):
    figures = {}

    def evaluate(name: str) -> None:
        figures[name] = run(inputs, tmp_path / name, content)

    def result(name: str) -> tuple:
        folder = tmp_path / name
        return figures[name], *(hash_path(folder / one) for one in ("predictions", "plots"))

    parts = check_resuming(monkeypatch, evaluate, result)
    assert {"scores.json", "twins.json", "siege-0.npz", "audit.json"} < set(parts)
    assert {"pixels-0.npz", "pixels-audit.json"} < set(parts)


def test_sounds_and_cells_are_attacked_where_an_epsilon_names_them(inputs, tmp_path, content):
    params, base = settings(content, modalities=EVERY)
    epsilon = {"audio_feature": 0.5, "tabular_feature": 0.5, "video_feature": 0.5}
    attack = params.robustness.attack.model_copy(update={"epsilon": epsilon})
    robustness = params.robustness.model_copy(update={"attack": attack})
    found = evaluate_model(
        "finetuned",
        inputs,
        tmp_path / "predictions",
        tmp_path / "plots",
        params=params.model_copy(update={"robustness": robustness}),
        base=base,
        work=tmp_path / "work",
    )["robustness"]
    assert found["max_delta_norm"]["audio_feature"] == pytest.approx(0.5, rel=1e-3)
    assert found["max_delta_norm"]["tabular_feature"] == pytest.approx(0.5, rel=1e-3)
    assert found["max_delta_norm"]["video_feature"] == 0.0, "no row has a video"


def test_rows_are_sliced_by_the_columns_that_params_name(inputs, tmp_path, content):
    params, base = settings(content)
    shop = read_table(inputs.examples, EXAMPLES, "examples")["tabular"].to_pylist()
    name = sorted({name for row in shop for name, _ in row or ()})[0]
    trust = params.trust.model_copy(update={"slices": [name]})
    found = evaluate_model(
        "finetuned",
        inputs,
        tmp_path / "predictions",
        tmp_path / "plots",
        params=params.model_copy(update={"trust": trust}),
        base=base,
        work=tmp_path / "work",
    )
    assert set(found["slices"]) == {"lang", "provenance", name}
    for column in found["slices"].values():
        rows = sum(one["rows"] for one in column["slices"])
        assert rows + column["rows_left_out"] == found["rows"]
    told = ("accuracy", "ece", "ece_raw", "robust_accuracy", "attack_success_rate", "macro_f1")
    for figure in told:
        interval = found["intervals"][figure]
        assert interval["low"] <= found[figure] <= interval["high"]


def test_an_attack_without_a_space_in_use_is_refused(inputs, tmp_path, content):
    params, base = settings(content, modalities=["image"], precision="fp32")
    attack = params.robustness.attack.model_copy(update={"epsilon": {"text_embedding": 0.5}})
    robustness = params.robustness.model_copy(update={"attack": attack})
    with pytest.raises(ConfigError, match=r"epsilon: none of its spaces \(text_embedding\)"):
        evaluate_model(
            "finetuned",
            inputs,
            tmp_path / "predictions",
            tmp_path / "plots",
            params=params.model_copy(update={"robustness": robustness}),
            base=base,
            work=tmp_path / "work",
        )


def test_twins_see_what_the_whole_encoder_gives(inputs, tmp_path, content):
    """A model may hold the encoder's top; its twin has the frozen features all the same."""
    _, base = settings(content, modalities=["image"], precision="fp32")
    image = parse_section(content, "extract_features", ExtractFeaturesParams).image
    seen = {}
    for top_layers in (0, 3):
        changes = {"image_size": 64, "grid": 2, "top_layers": top_layers}
        folder = tmp_path / str(top_layers)
        extract_image_features(
            inputs.examples, folder / "image", image.model_copy(update=changes), "fp32"
        )
        data = load_data(inputs.tokens, folder, ["image"], pad_token_id=0)
        seen[top_layers] = frozen_blocks(inputs.tokenizer, folder, data, base)["image"].values
        assert data.features["image"].shape[1:] == ((4, 1280), (4, 192))[top_layers > 0]
    assert seen[3].shape == (len(seen[0]), 1280)
    np.testing.assert_allclose(seen[3], seen[0], atol=0.02)
