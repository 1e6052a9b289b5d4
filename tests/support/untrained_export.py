"""A small export of texts and pictures, made without a run of the pipeline."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import nn

from fuseline.config import load_section
from fuseline.params.ingest import IngestParams
from fuseline.serving.contract import (
    BANK_FILE,
    CONTRACT_VERSION,
    MODEL_FILES,
    Certainty,
    ExportContract,
    FeatureInput,
    Origin,
    ScopeFacts,
    TextInput,
    read_contract,
    write_contract,
)
from fuseline.serving.exporting.graphs import (
    exported_tasks,
    write_encoder_graph,
    write_model_graph,
)
from fuseline.serving.shown import (
    SAMPLES,
    SAMPLES_FILE,
    THUMBNAILS,
    THUMBNAILS_FILE,
    write_shown,
)
from tests.support.repository import PARAMS_FILE
from tests.support.tasks import tokenizer
from tests.support.tiny_models import DIM, POSITIONS, classifier

LABELS = ["ant", "bee", "cat"]
SIDE = 16
BANK_ROWS = 6


def picture(side: int = 24, kind: str = "PNG") -> bytes:
    """A picture of random colours."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


# Of all rows of the bank but the last.
THUMBNAILS_OF_BANK = [
    {"example_id": f"row{number}", "picture": picture(8, "WEBP")} for number in range(BANK_ROWS - 1)
]
SAMPLE = {
    "label": "bee",
    "texts": ["ant bee"],
    "images": [picture()],
    "audio": None,
    "video": None,
    "cells": {},
}


class Squares(nn.Module):
    """The first values of each quarter of a picture."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.reshape(pixels.shape[0], POSITIONS, -1)[:, :, :DIM] / 255


def write_export(folder: Path, seed: int = 0) -> Path:
    """The export of a model that was never trained."""
    folder.mkdir(parents=True, exist_ok=True)
    task = {"name": "label", "kind": "classification", "target": "label", "weight": 1.0}
    task |= {"head": {"kind": "pooled", "size": len(LABELS)}, "facts": {"labels": LABELS}}
    model = classifier(seed=seed, tasks=[task])
    tasks = exported_tasks(model.config)
    graph = folder / MODEL_FILES["onnx"]
    write_model_graph(model, tasks, graph)
    write_encoder_graph(Squares(), SIDE, folder / "image.onnx")
    tokenizer().backend_tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "README.md").write_text("# A small model\n")
    _write_bank(folder / BANK_FILE, int(model.config.hidden_size), seed)
    write_shown(folder / THUMBNAILS_FILE, THUMBNAILS_OF_BANK, THUMBNAILS)
    write_shown(folder / SAMPLES_FILE, [SAMPLE, SAMPLE | {"label": None, "images": []}], SAMPLES)
    write_contract(folder, _contract(tasks, seed))
    return folder


def changed(export: Path, folder: Path, labels: list[str], weights: str) -> Path:
    """A copy that has other names for its labels, and says that it was made of other weights."""
    shutil.copytree(export, folder)
    content = read_contract(folder).model_dump()
    content["tasks"][0]["facts"]["labels"] = labels
    content["origin"]["weights"] = weights
    write_contract(folder, ExportContract.model_validate(content))
    return folder


def _write_bank(path: Path, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=BANK_ROWS * width).astype(np.float16)
    names = [f"row{number}" for number in range(BANK_ROWS)]
    table = pa.table(
        {
            "example_id": names,
            "label": (LABELS * BANK_ROWS)[:BANK_ROWS],
            "text": names,
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(values), width),
        }
    )
    pq.write_table(table, path)


def _contract(tasks: list, seed: int) -> ExportContract:
    image = FeatureInput(
        positions=POSITIONS,
        dim=DIM,
        shortest=1,
        places=1,
        encoder="patches",
        file="image.onnx",
        settings={"image_size": SIDE},
    )
    return ExportContract(
        version=CONTRACT_VERSION,
        modalities=["text", "image"],
        text=TextInput(tokenizer="tokenizer.json", max_length_tokens=16, pad_token_id=0),
        features={"image": image},
        tasks=tasks,
        certainty=Certainty(
            temperature=1.0,
            threshold=0.5,
            target_risk=0.05,
            coverage=0.9,
            quantiles=[0.7] * len(LABELS),
        ),
        scope=ScopeFacts(neighbours=2, quantiles=[0.1, 0.5, 0.9], false_refusals=0.05),
        ingest=load_section("ingest", IngestParams, PARAMS_FILE),
        origin=Origin(model="finetuned", weights=f"{seed:064x}", examples="0", params="0"),
    )
