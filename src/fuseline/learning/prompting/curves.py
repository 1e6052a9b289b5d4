"""Figures of finished cells: into metrics, and into a table that `dvc plots` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FIGURES = ("accuracy", "macro_f1")
Cell = Mapping[str, Mapping[str, float]]


def summarise(cells: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean and deviation of each figure over the seeds of one point.

    The deviation is that of the sample (n - 1), 0 for one cell; without any all is 0.
    """
    summary: dict[str, Any] = {"seeds": len(cells)}
    for name in FIGURES:
        values = np.array([cell[name] for cell in cells], dtype=np.float64)
        summary[name] = {
            "mean": float(values.mean()) if len(values) else 0.0,
            "std": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        }
    return summary


def write_curves(path: Path, methods: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `method,shots,metric,mean,low,high`, one row per point that was run; `low` and `high`
    are one deviation away."""
    rows = [
        {
            "method": method,
            "shots": int(shots),
            "metric": name,
            "mean": round(point[name]["mean"], 6),
            "low": round(point[name]["mean"] - point[name]["std"], 6),
            "high": round(point[name]["mean"] + point[name]["std"], 6),
        }
        for method, points in methods.items()
        for shots, point in sorted(points.items(), key=lambda item: int(item[0]))
        if point["seeds"]
        for name in FIGURES
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ["method", "shots", "metric", "mean", "low", "high"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
