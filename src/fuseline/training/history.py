"""Curves by epoch, as a long table that `dvc plots` reads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


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
