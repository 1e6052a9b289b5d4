"""Fused accuracy against the twin and the single modalities, paired over split salts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from benchmarks.workspace import clean_clone, run

SALTS = range(5)
METRICS = ("accuracy", "macro_f1")
RIVALS = ("twin", "text_only", "image_only")
# Two-sided 95 % quantile of Student's t with four degrees of freedom.
T_QUANTILE = 2.776


def main() -> None:
    """Run the pipeline up to the fine-tuned model's evaluation once per salt; print the table."""
    results = []
    for salt in SALTS:
        with clean_clone() as clone:
            set_salt(clone / "params.yaml", salt)
            run(clone, "dvc", "repro", "--quiet", "evaluate@finetuned")
            results.append(json.loads((clone / "metrics/evaluate/finetuned.json").read_text()))
        print(json.dumps({"salt": salt} | headline(results[-1])), flush=True)
    print(table(results))


def set_salt(path: Path, salt: int) -> None:
    """Change the split's salt in a params file, comments kept."""
    yaml = YAML()
    content = yaml.load(path.read_text(encoding="utf-8"))
    content["ingest"]["split"]["salt"] = salt
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def headline(metrics: dict[str, Any]) -> dict[str, float]:
    """Accuracy and macro-F1 of the fused model and its rivals."""
    return {
        f"{name} {score}": (metrics if name == "fused" else metrics[name])[score]
        for name in ("fused", *RIVALS)
        for score in ("accuracy", "macro_f1")
    }


def table(results: list[dict[str, Any]]) -> str:
    """Means, and paired differences with 95 % intervals, as Markdown."""
    lines = ["| | accuracy | macro-F1 |", "|---|---|---|"]
    scores = [headline(result) for result in results]
    for name in ("fused", *RIVALS):
        cells = (interval([s[f"{name} {score}"] for s in scores], "") for score in METRICS)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for name in RIVALS:
        cells = (
            interval([s[f"fused {score}"] - s[f"{name} {score}"] for s in scores], "+")
            for score in METRICS
        )
        lines.append(f"| fused - {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(values: list[float], sign: str) -> str:
    """Mean and half-width of the 95 % interval of the mean over salts; `sign` "+" shows both."""
    half = T_QUANTILE * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):{sign}.4f} ± {half:.4f}"
