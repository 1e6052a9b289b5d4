"""A trained model with the labelled rows of its tables."""

from __future__ import annotations

from pathlib import Path

from fuseline.data.dataset import MultimodalData
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.tasks.labelled import with_labels
from fuseline.learning.training.development import load_rows
from fuseline.params.base import BaseParams


def load_trained(
    model_folder: Path, tables: Path, base: BaseParams
) -> tuple[FuselineForTasks, MultimodalData]:
    """The model in evaluation mode, and the rows of `tokens`, `features` and `examples`."""
    model = FuselineForTasks.from_pretrained(model_folder).eval()
    rows, examples = load_rows(
        tables / "tokens",
        tables / "features",
        tables / "examples",
        FuselineProcessor.from_pretrained(model_folder),
        base,
    )
    return model, with_labels(rows, examples, model.config.tasks)
