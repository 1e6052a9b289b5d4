"""Two untrained models, and tables of a few rendered rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from fuseline.config import parse_section, read_yaml
from fuseline.contracts import read_manifest
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.extractors import EXTRACTORS
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.evaluation.stress import Context
from fuseline.evaluation.stress.run import StressInputs, make_context
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.creation import create_model
from fuseline.learning.model.processing import create_processor
from fuseline.params.base import BaseParams
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.ingest import IngestParams
from fuseline.params.pretrain import PretrainParams
from fuseline.params.stress import StressParams
from fuseline.params.tokenize import TokenizeParams
from tests.support.repository import PARAMS_FILE

MODALITIES = ["text", "image", "audio", "tabular"]


@pytest.fixture(scope="session")
def content() -> dict[str, Any]:
    """Params as shipped, but for what would take long."""
    content = read_yaml(PARAMS_FILE)
    content["base"] |= {"modalities": MODALITIES, "num_threads": 1, "precision": "fp32"}
    content["ingest"]["source"] = "synthetic"
    content["ingest"]["synthetic"] |= {"num_rows": 80, "image_size": 16, "modalities": MODALITIES}
    content["tokenize"]["encoder"] = "scratch"
    content["tokenize"]["scratch"] |= {"hidden_size": 16, "num_layers": 1}
    content["extract_features"]["image"] |= {"encoder": "patches", "image_size": 16, "grid": 2}
    content["extract_features"]["audio"] |= {"num_mels": 8, "positions": 4, "sampling_rate": 8000}
    content["pretrain"]["model"]["hidden_size"] = 16
    content["pretrain"]["model"]["fusion"] |= {"num_layers": 1, "num_heads": 2}
    for name in ("image", "audio"):
        content["stress"][name] |= {"severities": [3], "max_rows": 6}
    content["stress"]["out_of_distribution"]["max_rows"] = 12
    content["stress"]["transfer"]["attack"]["num_steps"] = 2
    return content


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]) -> StressInputs:
    root = tmp_path_factory.mktemp("stress")
    examples, tokenizer, features = (root / n for n in ("examples", "tokenizer", "features"))
    ingest = parse_section(content, "ingest", IngestParams)
    ingest_examples(ingest, examples, root / "quarantine", raw=root / "raw")
    tokenize = parse_section(content, "tokenize", TokenizeParams)
    tokenize_examples(examples, root / "tokens", tokenizer, tokenize)
    extraction = parse_section(content, "extract_features", ExtractFeaturesParams)
    for name, extract in EXTRACTORS.items():
        extract(examples, features / name, getattr(extraction, name), "fp32")
    names = ("finetuned", "adversarial")
    for seed, name in enumerate(names):
        write_model(root, name, seed, content)
    return StressInputs({name: root / name for name in names}, examples, root / "tokens", features)


def write_model(root: Path, name: str, seed: int, content: dict[str, Any]) -> None:
    shape = parse_section(content, "pretrain", PretrainParams).model
    labels = read_manifest(root / "examples", "examples")["labels"]
    torch.manual_seed(seed)
    pretrained = create_model(shape, root / "tokenizer", root / "features", MODALITIES)
    pretrained.save_pretrained(root / f"{name}-pretrained")
    FuselineForTasks.from_pretrained(
        root / f"{name}-pretrained",
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
    ).save_pretrained(root / name)
    processor = create_processor(root / "tokenizer", root / "features", MODALITIES)
    processor.save_pretrained(root / name)


@pytest.fixture(scope="session")
def sections(content: dict[str, Any]) -> dict[str, Any]:
    """What the stage's function takes."""
    return {
        "params": parse_section(content, "stress", StressParams),
        "base": parse_section(content, "base", BaseParams),
        "extract_features": parse_section(content, "extract_features", ExtractFeaturesParams),
    }


@pytest.fixture
def context(inputs: StressInputs, sections: dict[str, Any]) -> Context:
    return make_context(inputs, **sections)
