"""Curves by epoch: out of the trainer's log, into a long table that `dvc plots` reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    # For types alone: the report reads curves too, and loads no trainer.
    from transformers import TrainerState

# Figures by epoch, `epoch` among them.
History = list[dict[str, float]]
# A figure of an epoch from which training went back to the best one.
WENT_BACK = "train_went_back"


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write `epoch,split,metric,value`, one row per figure."""
    rows = [
        {
            "epoch": int(figures["epoch"]),
            "split": "dev" if name.startswith("eval_") else "train",
            "metric": name.split("_", 1)[1],
            "value": round(value, 6),
        }
        for figures in history
        for name, value in sorted(figures.items())
        if name != "epoch"
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=["epoch", "split", "metric", "value"]).to_csv(path, index=False)


def collect_history(state: TrainerState) -> list[dict[str, float]]:
    """Figures by epoch, without what depends on the clock."""
    epochs: dict[int, dict[str, float]] = {}
    for entry in state.log_history:
        if "train_runtime" in entry:
            # The library's closing summary: its mean loss covers this process only, so that it
            # differs after a resume.
            continue
        epoch = round(entry["epoch"])
        figures = epochs.setdefault(epoch, {"epoch": epoch})
        for name, value in entry.items():
            if name == "loss":
                figures["train_loss"] = value
            elif name.startswith(("eval_", "train_")):
                figures[name] = value
    return [epochs[epoch] for epoch in sorted(epochs)]
