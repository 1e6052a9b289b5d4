"""Lists of a model of recommendations beside rivals, over seeds: on the made-up people of the
recipe `recommend`, and on the films of MovieTweetings where the outside data sets are."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import interval
from benchmarks.workspace import FEW_ATTACKS, ROOT, change_params, clean_clone, run
from fuseline.pipeline.metrics_file import read_metrics

SEEDS = (17, 18, 19)
FIGURE = "ndcg_at_10"
# Films without pictures: title and genres.
FILMS = {
    "base.modalities": ["text", "tabular"],
    "ingest.source": "manifest",
    "ingest.manifest.path": "data/raw/movies.dat",
    "ingest.manifest.columns.id": "1",
    "ingest.manifest.columns.text": ["2", "3"],
    "ingest.manifest.columns.image": None,
    "ingest.manifest.columns.label": None,
    "ingest.manifest.columns.tabular": ["3"],
    "ingest.interactions.path": "data/raw/ratings.dat",
    "ingest.interactions.columns": {
        "user": "1", "item": "2", "value": "3", "time": "4", "kind": None,
    },
    "pretrain.adversarial.attack.epsilon": {"text_embedding": 0.05},
    "adversarial_finetune.attack.epsilon": {"text_embedding": 0.1},
    "evaluate.robustness.attack.epsilon": {"text_embedding": 0.125},
    "stress.transfer.attack.epsilon": {"text_embedding": 0.125},
}  # fmt: skip


def main(
    origin: Path = ROOT,
    seeds: Sequence[int] = SEEDS,
    changes: Mapping[str, Any] | None = None,
    sets: Mapping[str, Path | None] | None = None,
) -> None:
    """Run the pipeline up to the fine-tuned model's evaluation once per seed, of which there are
    two or more, on each set; print a table of it.

    Args:
        origin: the repository.
        seeds: of the runs.
        changes: further params.
        sets: by name the folder of films, None for the recipe's people; these and MovieTweetings
            where they are not given.
    """
    for name, folder in (_sets() if sets is None else sets).items():
        results = [measured(origin, seed, folder, changes or {}) for seed in seeds]
        print(f"\n{name}: {results[0]['protocol']}\n{table(results)}", flush=True)


def _sets() -> dict[str, Path | None]:
    if outside := os.environ.get("FUSELINE_TEST_DATA"):
        return {"people": None, "films": Path(outside, "movietweetings")}
    sys.exit("FUSELINE_TEST_DATA is not set: name the folder of the outside data sets.")


def measured(
    origin: Path, seed: int, films: Path | None, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Metrics of the fine-tuned model on the films of a folder, or on the recipe's people."""
    with clean_clone(origin) as clone:
        run(clone, "fuseline", "init", "--recipe", "recommend", "--yes")
        values = FEW_ATTACKS | {"base.seed": seed}
        if films:
            for name in ("movies.dat", "ratings.dat"):
                shutil.copy(films / name, clone / "data/raw")
            values |= FILMS
        change_params(clone, values | dict(changes))
        run(clone, "dvc", "repro", "--quiet", "evaluate@finetuned")
        found = read_metrics(clone / "metrics/evaluate/finetuned.json")
        print(json.dumps({"seed": seed, **cold(found), **figures(found)}), flush=True)
        return found


def figures(metrics: dict[str, Any]) -> dict[str, float]:
    """The figure of the model and of each rival."""
    rivals = {name: rival[FIGURE] for name, rival in metrics["rivals"].items()}
    return {"model": metrics[FIGURE], **rivals}


def cold(metrics: dict[str, Any]) -> dict[str, float]:
    """Recall at ten of cold items among themselves, and of chance."""
    found = metrics["cold_items"]
    return {"cold": found["recall_among_cold"], "by chance": found["random_among_cold"]}


def table(results: list[dict[str, Any]]) -> str:
    """Means over seeds, and differences with 95 % intervals over seeds, as Markdown; how many of
    the seeds' own intervals, over people, lie above 0."""
    lines = ["| | NDCG@10 | model less it | above 0 |", "|---|---|---|---|"]
    scores = [figures(one) for one in results]
    for name in scores[0]:
        cells = f"{np.mean([one[name] for one in scores]):.4f}"
        if name == "model":
            lines.append(f"| {name} | {cells} | | |")
            continue
        apart = interval([one["model"] - one[name] for one in scores], "+")
        above = sum(one["rivals"][name]["difference"]["low"] > 0 for one in results)
        lines.append(f"| {name} | {cells} | {apart} | {above} of {len(results)} |")
    items = [cold(one) for one in results]
    means = {name: np.mean([one[name] for one in items]) for name in items[0]}
    lines.append(
        f"\ncold items among themselves: {means['cold']:.3f}, by chance {means['by chance']:.3f}"
    )
    return "\n".join(lines)
