"""Ways to learn rare labels beside each other, from one pre-trained model."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from benchmarks.salts import table
from benchmarks.trained import load_trained
from benchmarks.workspace import ROOT
from fuseline.config import load_section
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.tasks.scores import classification_metrics
from fuseline.learning.training.finetune import finetune
from fuseline.params.base import BaseParams
from fuseline.params.finetune import FinetuneParams, Way

SEEDS = (17, 18, 19)
BATCH = 256
SPLITS = ("dev", "test")
SCORES = ("accuracy", "macro-F1", "mean recall")
COLUMNS = tuple(f"{split}: {score}" for split in SPLITS for score in SCORES)


def main(
    folder: Path = ROOT, ways: Sequence[str] = get_args(Way), seeds: Sequence[int] = SEEDS
) -> None:
    """Fine-tune by each way from each seed; print every run as a line, then means as Markdown.

    Args:
        folder: a repository whose `pretrain` has run; nothing in it is changed.
        ways: of `finetune.class_weights`.
        seeds: of fine-tuning; the pre-trained model is one.
    """
    figures: dict[str, list[list[float]]] = {way: [] for way in ways}
    for seed in seeds:
        for way in ways:
            figures[way].append(measured(folder, way, seed))
            row = {"seed": seed, "setting": way, "figures": figures[way][-1]}
            print(json.dumps(row), flush=True)
    print(table(figures, COLUMNS))


def measured(folder: Path, way: str, seed: int) -> list[float]:
    """What a way gives, as in `COLUMNS`."""
    file, data = folder / "params.yaml", folder / "data"
    base = load_section("base", BaseParams, file).model_copy(update={"seed": seed})
    params = load_section("finetune", FinetuneParams, file)
    with tempfile.TemporaryDirectory(prefix="fuseline-") as scratch:
        model_folder = Path(scratch) / "model"
        finetune(
            folder / "models/pretrained",
            data / "examples",
            data / "tokens",
            data / "features",
            model_folder,
            params=params.model_copy(update={"class_weights": way}),
            base=base,
            work=Path(scratch) / "work",
        )
        return [score for split in SPLITS for score in scores(model_folder, data, split, base)]


def scores(model_folder: Path, tables: Path, split: str, base: BaseParams) -> list[float]:
    """As in `SCORES`, of the first task on the rows of a split."""
    model, rows = load_trained(model_folder, tables, base)
    task = build_tasks(model.config.tasks)[0]
    (found,) = predict(model, [task], rows.select(split), BATCH)
    predicted = found.outputs.argmax(-1)
    counted = classification_metrics(found.data.labels, predicted, task.label_names)
    there = [label["recall"] for label in counted["per_class"].values() if label["support"]]
    return [counted["accuracy"], counted["macro_f1"], sum(there) / len(there)]
