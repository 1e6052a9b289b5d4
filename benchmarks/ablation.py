"""What each pre-training objective buys: all of them, and each one left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.workspace import FEW_ATTACKS, change_params, clean_clone, run
from fuseline.config import load_section
from fuseline.metrics_file import read_metrics
from fuseline.params.pretrain import PretrainParams

SALT = 11
SHOTS = 16
FEW_PROMPTS = {
    "prompt.methods": ["contrastive", "head"],
    "prompt.shots": [0, SHOTS],
    "prompt.compare_without_pretraining": False,
}
COLUMNS = (
    "fine-tuned",
    "macro-F1",
    "zero-shot",
    "macro-F1",
    f"head, {SHOTS} rows",
    "macro-F1",
    f"prompts, {SHOTS} rows",
    "macro-F1",
)


def main() -> None:
    """Pre-train without one objective after the other; print what follows, as Markdown."""
    weights = load_section("pretrain", PretrainParams).objectives.weights
    print(f"| without | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}")
    with clean_clone() as clone:
        change_params(clone, FEW_ATTACKS | FEW_PROMPTS | {"ingest.split.salt": SALT})
        for left_out in [None, *weights]:
            kept = {name: 0.0 if name == left_out else w for name, w in weights.items()}
            change_params(clone, {"pretrain.objectives.weights": kept})
            run(clone, "dvc", "repro", "--quiet", "prompt", "evaluate@finetuned")
            cells = " | ".join(f"{figure:.3f}" for figure in measured(clone))
            print(f"| {left_out or 'nothing'} | {cells} |", flush=True)


def measured(clone: Path) -> list[float]:
    """What the clone's run gave, as in `COLUMNS`."""
    tuned = read_metrics(clone / "metrics/evaluate/finetuned.json")
    prompts: dict[str, Any] = read_metrics(clone / "metrics/prompt.json")["methods"]
    return [
        tuned["accuracy"],
        tuned["macro_f1"],
        *_scores(prompts["contrastive"]["0"]),
        *_scores(prompts["head"][str(SHOTS)]),
        *_scores(prompts["contrastive"][str(SHOTS)]),
    ]


def _scores(cell: dict[str, Any]) -> list[float]:
    return [cell[name]["mean"] for name in ("accuracy", "macro_f1")]
