"""The headline figures of a run as a table for the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fuseline.errors import ContractError
from fuseline.stage import leaf

COUNTS = ("in", "kept", "quarantined")

# Heading and dotted key of each figure that a model is summed up by.
FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro_f1",
    "ece": "ece",
    "robust_accuracy": "robust_accuracy",
    "text_only": "text_only.accuracy",
    "image_only": "image_only.accuracy",
    "shuffled": "shuffled.accuracy",
    "twin": "twin.accuracy",
}


def summarise(metrics: Path) -> str:
    """What became of the rows, one line of figures per model, and whether anything leaks.

    Args:
        metrics: the folder that holds `ingest.json`, `evaluate/<model>.json` and, once their
            stages have run, `prompt.json` and `leakage.json`.

    Raises:
        ContractError: nothing has been evaluated yet, or a file is not JSON or lacks a figure.
    """
    data = _data(metrics / "ingest.json")
    models = sorted((metrics / "evaluate").glob("*.json"))
    if not models:
        raise ContractError(f"{metrics / 'evaluate'}: no metrics found. Run `make repro` first.")
    table = [["model", *FIGURES]]
    for path in models:
        values = _figures(path, list(FIGURES.values()))
        table.append([path.stem, *(f"{value:.4f}" for value in values)])
    return "\n".join(
        [
            *data,
            *_aligned(table),
            "on the test split; text_only to twin are accuracies",
            *_prompts(metrics / "prompt.json"),
            *_leakage(metrics / "leakage.json"),
        ]
    )


def _data(path: Path) -> list[str]:
    """Rows in and out, why rows were refused, and how many hold which modality."""
    rows = _figures(path, [f"rows_{name}" for name in COUNTS])
    refused, modalities = _figures(path, ["quarantined", "modalities"])
    counts = ", ".join(f"{row} {name}" for row, name in zip(rows, COUNTS, strict=True))
    reasons = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    why = ", ".join(f"{reason} {count}" for reason, count in reasons if count)
    held = ", ".join(f"{name} {count}" for name, count in modalities.items() if count)
    return [f"rows: {counts}" + (f" ({why})" if why else ""), f"modalities: {held}"]


def _prompts(path: Path) -> list[str]:
    """Accuracy of every method with the most shots that it was run with; nothing before the stage
    has run."""
    if not path.exists():
        return []
    (methods,) = _figures(path, ["methods"])
    parts: dict[str, list[str]] = {}
    for name, points in methods.items():
        if run := [shots for shots, point in points.items() if point["seeds"]]:
            most = max(run, key=int)
            parts.setdefault(most, []).append(f"{name} {points[most]['accuracy']['mean']:.3f}")
    return [
        f"accuracy with {shots} rows a label: {', '.join(of)}"
        for shots, of in sorted(parts.items())
    ]


def _leakage(path: Path) -> list[str]:
    """How many findings ask for a look; nothing before the stage has run."""
    if not path.exists():
        return []
    (suspicions,) = _figures(path, ["suspicions"])
    if not suspicions:
        return ["leakage: nothing suspicious"]
    findings = "1 finding asks" if suspicions == 1 else f"{suspicions} findings ask"
    return [f"leakage: {findings} for a look, see the report"]


def _figures(path: Path, keys: list[str]) -> list[Any]:
    """Values of dotted keys of a metrics file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [leaf(content, key) for key in keys]
    except FileNotFoundError:
        raise ContractError(f"{path}: not found. Run `make repro` first.") from None
    except ValueError as error:
        raise ContractError(f"{path}: not readable as JSON: {error}") from None
    except (KeyError, TypeError) as error:
        raise ContractError(
            f"{path}: expected the figure {error}, found none. Run `dvc repro` to make it again."
        ) from None


def _aligned(table: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table
    ]
