"""A model that holds the top of its image encoder, from rows to figures."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import ViTConfig, ViTModel

from fuseline.config import parse_section, read_yaml
from fuseline.contracts import features_schema, iter_shards, read_manifest
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.image.features import extract_image_features
from fuseline.data.modalities.image.networks import build_image_encoder, build_image_parts
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.errors import ContractError
from fuseline.evaluation.evaluate import EvaluationInputs, evaluate_model
from fuseline.evaluation.leakage.neighbours import feature_vectors
from fuseline.learning.model import FuselineForPreTraining, FuselineForTasks
from fuseline.learning.model.creation import create_model
from fuseline.learning.training.adversarial_finetune import adversarial_finetune
from fuseline.learning.training.finetune import finetune
from fuseline.learning.training.groups import IMAGE_TOP
from fuseline.learning.training.pretrain import pretrain
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.finetune import FinetuneParams
from fuseline.params.ingest import IngestParams
from fuseline.params.pretrain import PretrainParams
from fuseline.params.tokenize import TokenizeParams
from fuseline.params.whole import set_keys
from tests.support.repository import REPOSITORY
from tests.support.workspace import SMALL_PARAMS

SECTIONS = {
    "base": BaseParams,
    "ingest": IngestParams,
    "tokenize": TokenizeParams,
    "extract_features": ExtractFeaturesParams,
    "pretrain": PretrainParams,
    "finetune": FinetuneParams,
    "adversarial_finetune": AdversarialFinetuneParams,
    "evaluate": EvaluateParams,
}
CHANGES = {
    "base.modalities": ["text", "image"],
    "ingest.synthetic.modalities": ["text", "image"],
    "ingest.synthetic.num_rows": 60,
    "extract_features.image.top_layers": 1,
    "finetune.freezing.image_policy": "lora",
    "finetune.freezing.lora.image_targets": ["fc1", "fc2"],
    "adversarial_finetune.method": "fgm",
    "adversarial_finetune.attack.epsilon": {"image_pixel": 8},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> SimpleNamespace:
    """Params and tables of a small set, its pictures through a ViT of two layers."""
    root = tmp_path_factory.mktemp("layers")
    torch.manual_seed(0)
    network = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=4,
    )
    ViTModel(network).save_pretrained(root / "vit")
    content = read_yaml(REPOSITORY / "params.yaml")
    set_keys(content, SMALL_PARAMS | CHANGES)
    set_keys(content, {"extract_features.image.encoder": str(root / "vit")})
    params = {name: parse_section(content, name, kind) for name, kind in SECTIONS.items()}
    ingest_examples(params["ingest"], root / "examples", root / "quarantine", raw=root / "raw")
    tokenize_examples(root / "examples", root / "tokens", root / "tokenizer", params["tokenize"])
    image = params["extract_features"].image
    extract_image_features(root / "examples", root / "features" / "image", image, "fp32")
    whole = image.model_copy(update={"top_layers": 0})
    extract_image_features(root / "examples", root / "whole" / "image", whole, "fp32")
    return SimpleNamespace(root=root, **params)


def top_weights(model) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if IMAGE_TOP in name}


def test_a_new_model_takes_the_layers_over(made):
    root = made.root
    model = create_model(made.pretrain.model, root / "tokenizer", root / "features", ["image"])
    grid = made.extract_features.image.grid
    below, top = build_image_parts(str(root / "vit"), grid, 1, weights=True)
    theirs = top.state_dict()
    ours = {name.split(".top.")[1]: value for name, value in top_weights(model).items()}
    assert set(ours) == set(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    frozen = model.fuseline.image_encoder.state_dict()
    assert all(torch.equal(frozen[name], value) for name, value in below.state_dict().items())
    pixels = torch.randint(0, 256, (2, 3, 16, 16)).float()
    whole = build_image_encoder(str(root / "vit"), grid, weights=True)
    encoder = model.fuseline.embeddings["image"].encoder
    with torch.no_grad():
        found = encoder.top.eval()(model.fuseline.encode_image(pixels))
        torch.testing.assert_close(found, whole(pixels), atol=0.02, rtol=0.02)


def test_every_stage_of_training_goes_on_with_them(made):
    root, base = made.root, made.base
    data = (root / "tokens", root / "features")
    pretrain(
        data[0], root / "tokenizer", data[1], root / "pretrained",
        params=made.pretrain, base=base, work=root / "work" / "pretrain",
    )  # fmt: skip
    metrics, _ = finetune(
        root / "pretrained", root / "examples", *data, root / "finetuned",
        params=made.finetune, base=base, work=root / "work" / "finetune",
    )  # fmt: skip
    adversarial_finetune(
        root / "finetuned", root / "examples", *data, root / "adversarial",
        params=made.adversarial_finetune, base=base, work=root / "work" / "adversarial",
    )  # fmt: skip
    assert 0 < metrics["image_encoder_trainable_parameters"] < metrics["image_encoder_parameters"]
    first = create_model(made.pretrain.model, root / "tokenizer", data[1], ["text", "image"])
    steps = [top_weights(first)]
    steps += [top_weights(FuselineForPreTraining.from_pretrained(root / "pretrained"))]
    for name in ("finetuned", "adversarial"):
        steps.append(top_weights(FuselineForTasks.from_pretrained(root / name)))
    for before, after in pairwise(steps):
        assert set(before) == set(after)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed
    adapted = {name for name in steps[1] if not torch.equal(steps[1][name], steps[2][name])}
    assert all("fc" in name for name in adapted), "adapters alone were trained, and merged"
    inputs = EvaluationInputs(
        root / "adversarial", root / "examples", data[0], root / "tokenizer", data[1]
    )
    found = evaluate_model(
        "adversarial", inputs, root / "predictions", root / "plots",
        params=made.evaluate, base=base, work=root / "work",
    )  # fmt: skip
    assert found["robustness"]["image_pixel"]["rows"] > 0
    assert found["twin_image_only"]["accuracy"] > 0


def test_leakage_compares_what_the_whole_encoder_gives(made):
    ids = read_ids(made.root / "features" / "image")
    train, test = ids[:40], ids[40:]
    found, expected = (
        feature_vectors(made.root / name / "image", train, test) for name in ("features", "whole")
    )
    for one, other in zip(found, expected, strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert one.values.shape == other.values.shape
        assert (one.values * other.values).sum(1).min() > 0.99


def test_weights_that_changed_are_refused(made, tmp_path):
    root = made.root
    weights = root / "vit" / "model.safetensors"
    kept = weights.read_bytes()
    try:
        torch.manual_seed(1)
        ViTModel(ViTModel.from_pretrained(root / "vit").config).save_pretrained(root / "vit")
        with pytest.raises(ContractError, match=r"data/features/image: made by other weights"):
            create_model(made.pretrain.model, root / "tokenizer", root / "features", ["image"])
    finally:
        weights.write_bytes(kept)


def read_ids(folder: Path) -> list[str]:
    schema = features_schema(*read_manifest(folder, "features")["shape"])
    return [
        example_id
        for _, table in iter_shards(folder, schema, "features")
        for example_id in table["example_id"].to_pylist()
    ]
