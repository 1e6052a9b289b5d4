"""Three modalities beside each pair and each alone, on rows of which none suffices.

Needs the recordings of the Free Spoken Digit Dataset in `$FUSELINE_TEST_DATA/spoken_digits`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.spoken_numbers import write_rows
from benchmarks.workspace import FEW_ATTACKS, ROOT, change_params, clean_clone, run
from fuseline.pipeline.metrics_file import read_metrics

MODALITIES = ("text", "image", "audio")
SETS = [list(chosen) for size in (3, 2, 1) for chosen in combinations(MODALITIES, size)]
SALTS = range(3)
NUM_ROWS = 3000
SEED = 5

TRAINING = {
    "batch_size": 32,
    "learning_rate": 1.0e-3,
    "encoder_learning_rate": 1.0e-3,
    "image_learning_rate": 1.0e-3,
    "layer_decay": 1.0,
    "lr_scheduler": "cosine",
    "warmup_share": 0.1,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "early_stopping_patience": 20,
}
EPSILON = {"text_embedding": 0.1, "image_feature": 0.5, "audio_feature": 0.5}
PARAMS: dict[str, Any] = {
    "base.precision": "fp32",
    "ingest.source": "manifest",
    "ingest.manifest.path": "data/raw/manifest.csv",
    "ingest.manifest.columns": {
        **dict.fromkeys(("id", "text", "image", "audio", "label", "group")),
        **dict.fromkeys(("video", "split", "lang", "license", "provenance")),
        "tabular": [],
        "targets": {},
    },
    # Words and near-silent sounds are shared by many rows that have nothing else in common.
    "ingest.duplicates.max_copies": 1,
    "tokenize.encoder": "scratch",
    "extract_features.image.image_size": 96,
    "extract_features.image.grid": 3,
    "extract_features.audio.positions": 16,
    "pretrain.model.hidden_size": 64,
    "pretrain.model.contrastive_size": 32,
    "pretrain.model.fusion.num_heads": 4,
    "pretrain.training": {**TRAINING, "num_epochs": 6},
    "finetune.modality_dropout": 0.3,
    "finetune.training": {**TRAINING, "num_epochs": 12, "max_fall": 1.0},
    **FEW_ATTACKS,
    "evaluate.robustness.attack.epsilon": EPSILON,
    # Not run, but checked: every set of modalities needs a radius.
    "adversarial_finetune.attack.epsilon": EPSILON,
    "stress.transfer.attack.epsilon": EPSILON,
}
for name in ("id", "text", "image", "audio", "label", "group"):
    PARAMS["ingest.manifest.columns"][name] = name


def main(
    origin: Path = ROOT,
    salts: Sequence[int] = SALTS,
    sets: Sequence[list[str]] = SETS,
    num_rows: int = NUM_ROWS,
) -> None:
    """Run the pipeline once for every salt and set of modalities; print the table."""
    recordings = _recordings()
    results: dict[str, list[dict[str, Any]]] = {}
    for salt in salts:
        with clean_clone(origin) as clone:
            write_rows(recordings, clone / "data" / "raw", num_rows, SEED)
            for chosen in sets:
                change_params(
                    clone,
                    {"ingest.split.salt": salt, "base.modalities": chosen, **PARAMS},
                )
                run(clone, "dvc", "repro", "--quiet", "evaluate@finetuned")
                metrics = read_metrics(clone / "metrics/evaluate/finetuned.json")
                results.setdefault("+".join(chosen), []).append(metrics)
                print(
                    json.dumps(
                        {"salt": salt, "modalities": chosen, "accuracy": metrics["accuracy"]}
                    ),
                    flush=True,
                )
    print(table(results))


def _recordings() -> Path:
    data = os.environ.get("FUSELINE_TEST_DATA")
    if not data:
        sys.exit("trimodal: set FUSELINE_TEST_DATA to the folder that holds spoken_digits/.")
    return Path(data) / "spoken_digits" / "recordings"


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Mean and standard deviation over salts, of the model and its twin, as Markdown."""
    lines = ["| modalities | accuracy | macro-F1 | twin's accuracy |", "|---|---|---|---|"]
    for name, runs in results.items():
        columns = (
            [run["accuracy"] for run in runs],
            [run["macro_f1"] for run in runs],
            [run["twin"]["accuracy"] for run in runs],
        )
        lines.append(f"| {name} | {' | '.join(spread(column) for column in columns)} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Mean, ± standard deviation where there are several."""
    mean = f"{np.mean(values):.3f}"
    return f"{mean} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else mean
