"""The kinds of fusion beside each other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.salts import SALTS, compare
from benchmarks.workspace import ROOT, run
from fuseline.learning.model.fusion import FUSIONS
from fuseline.pipeline.metrics_file import read_metrics

COLUMNS = (
    "accuracy",
    "macro-F1",
    "text only",
    "image only",
    "dev: accuracy",
    "fine-tuning, s",
    "parameters",
)


def main(
    origin: Path = ROOT, kinds: Sequence[str] = tuple(FUSIONS), salts: Sequence[int] = SALTS
) -> None:
    """Pre-train and fine-tune each kind once per salt; print the table of means."""
    settings = {kind: {"pretrain.model.fusion.kind": kind} for kind in kinds}
    compare(settings, measured, COLUMNS, {}, salts, origin)


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
        trained["dev"]["accuracy"],
        seconds,
        trained["trainable_parameters"],
    ]
