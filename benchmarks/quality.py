"""Fused accuracy against the twin and the single modalities, paired over split salts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.workspace import FEW_ATTACKS, ROOT, change_params, clean_clone, run
from fuseline.pipeline.metrics_file import read_metrics

SALTS = range(5)
METRICS = ("accuracy", "macro_f1")
SCORED = ("fused", "twin", "text_only", "twin_text_only", "image_only", "twin_image_only")
# The second is to be no better than the first.
PAIRS = (
    ("fused", "twin"),
    ("fused", "text_only"),
    ("fused", "image_only"),
    ("text_only", "twin_text_only"),
    ("image_only", "twin_image_only"),
)


def main(origin: Path = ROOT, salts: Sequence[int] = SALTS) -> None:
    """Run the pipeline up to the fine-tuned model's evaluation once per salt, of which there are
    two or more; print the table."""
    results = []
    for salt in salts:
        with clean_clone(origin) as clone:
            change_params(clone, FEW_ATTACKS | {"ingest.split.salt": salt})
            run(clone, "dvc", "repro", "--quiet", "evaluate@finetuned")
            results.append(read_metrics(clone / "metrics/evaluate/finetuned.json"))
        print(json.dumps({"salt": salt} | headline(results[-1])), flush=True)
    print(table(results))


def headline(metrics: dict[str, Any]) -> dict[str, float]:
    """Accuracy and macro-F1 of the fused model, the twin, and each with one modality."""
    return {
        f"{name} {score}": (metrics if name == "fused" else metrics[name])[score]
        for name in SCORED
        for score in METRICS
    }


def table(results: list[dict[str, Any]]) -> str:
    """Means, and paired differences with 95 % intervals, as Markdown."""
    lines = ["| | accuracy | macro-F1 |", "|---|---|---|"]
    scores = [headline(result) for result in results]
    for name in SCORED:
        cells = (interval([s[f"{name} {score}"] for s in scores], "") for score in METRICS)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for better, other in PAIRS:
        cells = (
            interval([s[f"{better} {score}"] - s[f"{other} {score}"] for s in scores], "+")
            for score in METRICS
        )
        lines.append(f"| {better} - {other} | {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(values: list[float], sign: str) -> str:
    """Mean and half-width of the 95 % interval of the mean over salts; `sign` "+" shows both."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{np.mean(values):{sign}.4f} ± {half:.4f}"
