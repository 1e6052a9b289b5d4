"""The kinds of fusion beside each other, over split salts that no headline is reported on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from benchmarks.workspace import FEW_ATTACKS, change_params, clean_clone, run
from fuseline.metrics_file import read_metrics
from fuseline.model.fusion import FUSIONS

SALTS = (11, 12, 13)
COLUMNS = ("accuracy", "macro-F1", "text only", "image only", "fine-tuning, s", "parameters")


def main() -> None:
    """Pre-train and fine-tune each kind once per salt; print the table of means."""
    figures: dict[str, list[list[float]]] = {kind: [] for kind in FUSIONS}
    for salt in SALTS:
        with clean_clone() as clone:
            change_params(clone, FEW_ATTACKS | {"ingest.split.salt": salt})
            for kind in FUSIONS:
                change_params(clone, {"pretrain.model.fusion.kind": kind})
                figures[kind].append(measured(clone))
                row = {"salt": salt, "kind": kind, "figures": figures[kind][-1]}
                print(json.dumps(row), flush=True)
    print(table(figures))


def measured(clone: Path) -> list[float]:
    """What the clone's params give, as in `COLUMNS`."""
    run(clone, "dvc", "repro", "--quiet", "pretrain")
    start = time.perf_counter()
    run(clone, "dvc", "repro", "--quiet", "finetune")
    seconds = time.perf_counter() - start
    run(clone, "dvc", "repro", "--quiet", "evaluate@finetuned")
    scores = read_metrics(clone / "metrics/evaluate/finetuned.json")
    trained = read_metrics(clone / "metrics/finetune.json")
    return [
        scores["accuracy"],
        scores["macro_f1"],
        scores["text_only"]["accuracy"],
        scores["image_only"]["accuracy"],
        seconds,
        trained["trainable_parameters"],
    ]


def table(figures: dict[str, list[list[float]]]) -> str:
    """Means over salts, as Markdown."""
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for kind, runs in figures.items():
        *scores, seconds, parameters = np.mean(runs, axis=0)
        cells = [f"{score:.3f}" for score in scores]
        lines.append(
            f"| {kind} | {' | '.join(cells)} | {seconds:.0f} | {parameters / 1e6:.1f} million |"
        )
    return "\n".join(lines)
