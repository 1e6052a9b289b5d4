"""What each pre-training objective buys: all of them, and each one left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.salts import SALTS, compare
from benchmarks.workspace import ROOT, run
from fuseline.config import load_section
from fuseline.learning.objectives.pretraining import OBJECTIVES
from fuseline.params.pretrain import PretrainParams
from fuseline.pipeline.metrics_file import read_metrics

SHOTS = 16
FEW_PROMPTS = {
    "prompt.methods": ["contrastive", "head", "residual"],
    "prompt.shots": [0, SHOTS],
    "prompt.compare_without_pretraining": False,
}
# By method of prompting and rows a label.
PROMPTS = (("contrastive", 0), ("contrastive_media", 0), ("head", SHOTS), ("residual", SHOTS))
COLUMNS = (
    "fine-tuned",
    "macro-F1",
    "dev: accuracy",
    *(
        column
        for method, shots in PROMPTS
        for column in (f"{method}, {shots or 'no'} rows", "macro-F1")
    ),
)


def main(
    origin: Path = ROOT, objectives: Sequence[str] = tuple(OBJECTIVES), salts: Sequence[int] = SALTS
) -> None:
    """Pre-train with all, then without one of `objectives` after the other; print what follows, as
    Markdown."""
    params = load_section("pretrain", PretrainParams, origin / "params.yaml")
    weights = params.objectives.weights
    settings = {
        left_out or "nothing": {
            "pretrain.objectives.weights": {
                name: 0.0 if name == left_out else weight for name, weight in weights.items()
            }
        }
        for left_out in (None, *objectives)
    }
    compare(settings, measured, COLUMNS, FEW_PROMPTS, salts, origin)


def measured(clone: Path) -> list[float]:
    """What the clone's params give, as in `COLUMNS`."""
    run(clone, "dvc", "repro", "--quiet", "prompt", "evaluate@finetuned")
    tuned = read_metrics(clone / "metrics/evaluate/finetuned.json")
    trained = read_metrics(clone / "metrics/finetune.json")
    prompts: dict[str, Any] = read_metrics(clone / "metrics/prompt.json")["methods"]
    cells = [prompts[method][str(shots)] for method, shots in PROMPTS]
    return [
        tuned["accuracy"],
        tuned["macro_f1"],
        trained["dev"]["accuracy"],
        *(cell[score]["mean"] for cell in cells for score in ("accuracy", "macro_f1")),
    ]
