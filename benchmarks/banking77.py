"""BANKING77: full fine-tuning beside low-rank adapters, tested on its authors' test file.

Both start from one short run of `pretrain`; the seeds are those of `finetune`. One setting per arm
was tried; the development split, a part of the authors' training file, picks the epoch alone. Needs
`train.csv` and `test.csv` (`text,category`) in `$FUSELINE_TEST_DATA/banking77`.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trained import load_trained
from benchmarks.workspace import ROOT
from fuseline.config import read_yaml
from fuseline.data.dataset import MultimodalData
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.tasks.base import Task
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.training.finetune import finetune
from fuseline.learning.training.pretrain import pretrain
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.params.finetune import FinetuneParams
from fuseline.params.ingest import IngestParams
from fuseline.params.pretrain import PretrainParams
from fuseline.params.tokenize import TokenizeParams
from fuseline.params.whole import set_keys

SEEDS = (17, 18, 19)
TEST = "test-"
BATCH_SIZE = 256
MAX_ADAPTED_SHARE = 0.03
AS_SHIPPED: Mapping[str, Any] = {}

# Training rows that copy a test row join the test split; those that are tested are the authors'.
COMMON: dict[str, Any] = {
    "base.modalities": ["text"],
    "base.num_threads": 1,
    "ingest.source": "manifest",
    "ingest.manifest.columns.id": "id",
    "ingest.manifest.columns.image": None,
    "ingest.manifest.columns.label": "category",
    "ingest.manifest.columns.split": "split",
    "ingest.split.train": 0.9,
    "ingest.split.dev": 0.1,
    "ingest.split.test": 0.0,
    "pretrain.training.num_epochs": 1,
    "finetune.training.num_epochs": 6,
}
ARMS: dict[str, dict[str, Any]] = {
    "full": {
        "finetune.freezing.policy": "none",
        "finetune.training.encoder_learning_rate": 1.0e-4,
    },
    "lora": {
        "finetune.freezing.policy": "lora",
        "finetune.freezing.lora.rank": 16,
        "finetune.freezing.lora.alpha": 32,
        "finetune.freezing.lora.targets": ["query", "key", "value", "dense"],
        "finetune.training.learning_rate": 1.0e-3,
    },
}
SECTIONS = {
    "base": BaseParams,
    "ingest": IngestParams,
    "tokenize": TokenizeParams,
    "pretrain": PretrainParams,
    "finetune": FinetuneParams,
    "adversarial_finetune": AdversarialFinetuneParams,
    "evaluate": EvaluateParams,
}


def main(
    seeds: tuple[int, ...] = SEEDS,
    num_rows: int | None = None,
    changes: Mapping[str, Any] = AS_SHIPPED,
) -> None:
    """Run both arms with every seed; print a line for each run, then the table.

    Args:
        seeds: of `finetune`.
        num_rows: the first of each file; all by default.
        changes: to params, over those of the arms.
    """
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ARMS}
    with tempfile.TemporaryDirectory(prefix="fuseline-") as name:
        folder = Path(name)
        print(json.dumps(prepare(folder, num_rows, changes)), flush=True)
        for seed in seeds:
            for arm, runs in results.items():
                runs.append(run_arm(folder, seed, {**ARMS[arm], **changes}))
                print(json.dumps({"arm": arm, "seed": seed} | runs[-1]), flush=True)
    print(table(results))


def prepare(
    folder: Path, num_rows: int | None = None, changes: Mapping[str, Any] = AS_SHIPPED
) -> dict[str, Any]:
    """Write the rows, test rows first; run `ingest`, `tokenize` and `pretrain`; return counts."""
    figures = write_tables(folder, num_rows, changes)
    params = sections(changes)
    pretrain(
        folder / "tokens",
        folder / "tokenizer",
        folder / "features",
        folder / "pretrained",
        params=params["pretrain"],
        base=params["base"],
        work=folder / "work",
    )
    return {
        "splits": figures["splits"],
        "quarantined": {name: n for name, n in figures["quarantined"].items() if n},
        "copies": figures["duplicates"]["rows"],
    }


def write_tables(folder: Path, num_rows: int | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Write the rows, run `ingest` and `tokenize`; the figures of the first."""
    write_rows(_data(), folder / "raw", num_rows)
    params = sections({"ingest.manifest.path": str(folder / "raw"), **changes})
    figures = ingest_examples(
        params["ingest"], folder / "examples", folder / "quarantine", raw=folder / "raw"
    )
    tokenize_examples(
        folder / "examples", folder / "tokens", folder / "tokenizer", params["tokenize"]
    )
    return figures


def run_arm(folder: Path, seed: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Run `finetune`, and predict the authors' test rows."""
    params = sections({"base.seed": seed} | changes)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        model_folder = Path(name) / "model"
        metrics, _ = finetune(
            folder / "pretrained",
            folder / "examples",
            folder / "tokens",
            folder / "features",
            model_folder,
            params=params["finetune"],
            base=params["base"],
            work=Path(name) / "work",
        )
        model, tasks, rows = tested(folder, model_folder, params["base"])
    scores = tasks[0].scores(predict(model, tasks, rows, BATCH_SIZE)[0].outputs, rows)
    return {
        "test_rows": len(rows),
        "test_accuracy": scores["accuracy"],
        "dev_accuracy": metrics["dev"]["accuracy"],
        "best_epoch": metrics["best_epoch"],
        "encoder_share": metrics["encoder_trainable_parameters"] / metrics["encoder_parameters"],
    }


def write_rows(data: Path, raw: Path, num_rows: int | None) -> None:
    """Both files, or as many rows of each at even distances, for they lie sorted by label; with an
    id and a split, `test` or nothing; the names put the test rows first."""
    raw.mkdir(parents=True)
    for place, (name, split) in enumerate((("test", "test"), ("train", ""))):
        with (
            (data / f"{name}.csv").open(newline="", encoding="utf-8") as source,
            (raw / f"{place}-{name}.csv").open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(["id", "text", "category", "split"])
            rows = [*csv.DictReader(source)]
            step = max(1, len(rows) // (num_rows or len(rows)))
            for number, row in enumerate(rows[::step][:num_rows]):
                writer.writerow([f"{name}-{number}", row["text"], row["category"], split])


def sections(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The shipped params with this benchmark's and further changes, each section checked."""
    content = read_yaml(ROOT / "params.yaml")
    set_keys(content, {**COMMON, **changes})
    return {name: kind.model_validate(content[name]) for name, kind in SECTIONS.items()}


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """A row for each arm, as Markdown."""
    lines = [
        "| | test accuracy, by seed | mean | dev accuracy, mean | of the encoder trained |",
        "|---|---|---|---|---|",
    ]
    for arm, runs in results.items():
        each = [run["test_accuracy"] for run in runs]
        dev = np.mean([run["dev_accuracy"] for run in runs])
        lines.append(
            f"| {arm} | {', '.join(f'{score:.4f}' for score in each)} | {np.mean(each):.4f} |"
            f" {dev:.4f} | {runs[0]['encoder_share']:.2%} |"
        )
    assert all(run["encoder_share"] <= MAX_ADAPTED_SHARE for run in results["lora"])
    return "\n".join(lines)


def _data() -> Path:
    data = os.environ.get("FUSELINE_TEST_DATA")
    if not data:
        sys.exit("banking77: set FUSELINE_TEST_DATA to the folder that holds banking77/.")
    return Path(data) / "banking77"


def tested(
    folder: Path, model_folder: Path, base: BaseParams
) -> tuple[FuselineForTasks, list[Task], MultimodalData]:
    """A model, its tasks, and the rows of the authors' test file; copies of them among their
    training rows are none."""
    model, rows = load_trained(model_folder, folder, base)
    own = np.flatnonzero([name.startswith(TEST) for name in rows.example_ids])
    return model, build_tasks(model.config.tasks), rows.take(own)


if __name__ == "__main__":
    main()
