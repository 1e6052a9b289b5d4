"""What a model card says of an export, behind what it says of the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fuseline.learning.model.card import CARD

TEMPLATE = "card.md.j2"
FORMATS = ("torch", "onnx", "int8")


def describe_export(folder: Path, name: str, figure: str, metrics: Mapping[str, Any]) -> None:
    """Add the export's files and figures to the card that lies in its folder.

    Args:
        folder: of the export.
        name: of the chosen model.
        figure: that chose it; empty where the params did.
        metrics: of the stage.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    formats = {key: metrics[key] for key in FORMATS if key in metrics}
    names = sorted({key for figures in formats.values() for key in figures})
    text = environment.get_template(TEMPLATE).render(
        name=name,
        figure=figure,
        formats=formats,
        names=names,
        megabytes=metrics["megabytes"],
        sets=metrics.get("prediction_sets"),
    )
    card = folder / CARD
    card.write_text(f"{card.read_text(encoding='utf-8').rstrip()}\n\n{text}", encoding="utf-8")
