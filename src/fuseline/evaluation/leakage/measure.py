"""Nearest neighbours across the test and the training split, words that give the label away, and
facts beside the content that do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from fuseline.contracts import LEAKAGE, TableWriter, shard_name
from fuseline.evaluation.leakage.neighbours import (
    Nearest,
    closest_pairs,
    feature_vectors,
    find_nearest,
    neighbour_metrics,
    text_vectors,
)
from fuseline.evaluation.leakage.rows import ComparedRows, read_compared_rows
from fuseline.evaluation.leakage.rules import learn_word_rules
from fuseline.evaluation.leakage.shortcuts import (
    Predictor,
    majority_accuracy,
    try_columns,
    try_shortcuts,
)
from fuseline.evaluation.leakage.verdicts import verdicts
from fuseline.params.base import MEDIA
from fuseline.params.leakage import LeakageParams
from fuseline.pipeline.parts import Parts

MAX_LISTED_COLUMNS = 20
# Modalities whose nearest rows are looked for.
NEIGHBOURS = ("text", *MEDIA)


def measure_leakage(
    examples: Path, features: Path, pairs: Path, params: LeakageParams, *, work: Path
) -> dict[str, Any]:
    """Compare the test split with the training split; write the closest pairs.

    Args:
        examples: the examples table.
        features: folder with one features table per medium.
        pairs: folder of the new table of pairs, see `contracts.LEAKAGE`. Its manifest holds the
            suspicious words and columns, which have no fixed number.
        params: section `leakage`.
        work: keeps what is finished, for a run that goes on after a kill: the neighbours of each
            modality, the rules, the columns, the facts beside the content.

    Returns:
        Metrics: fixed keys, finite numbers; figures of an absent modality are 0.

    Raises:
        ContractError: a split is empty, or a table is not what its contract says.
    """
    rows = read_compared_rows(examples, params.max_rows)
    looks: dict[str, Callable[[], Any]] = {
        "rules": lambda: asdict(learn_word_rules(rows.train, rows.test, params.rule)),
        "columns": lambda: _as_values(try_columns(rows)),
        "shortcuts": lambda: _as_values(try_shortcuts(rows)),
    }
    parts = Parts(work)
    with tqdm(desc="leakage", total=len(NEIGHBOURS) + len(looks), unit="part") as bar:
        # Sums of one thread have one order, and so do rows that are all but equally near.
        with threadpool_limits(limits=1):
            nearest = _nearest(rows, features, parts, bar)
        found = {}
        for name, look in looks.items():
            found[name] = parts.values(name, look)
            bar.update()
    rules, shortcuts = found["rules"], found["shortcuts"]
    columns = dict(list(found["columns"].items())[:MAX_LISTED_COLUMNS])
    best = next(iter(columns.values()), asdict(Predictor(0.0, 0.0)))
    metrics: dict[str, Any] = {
        "rows": {
            split: {"total": rows.totals[split], "compared": len(frame)}
            for split, frame in (("train", rows.train), ("test", rows.test))
        },
        "majority_accuracy": majority_accuracy(rows),
        "neighbours": {
            modality: neighbour_metrics(
                found, rows.train, rows.test, getattr(params.near, modality)
            )
            for modality, found in nearest.items()
        },
        "rules": {
            "accuracy": rules["accuracy"],
            "suspicious": rules["num_suspicious"],
            "share": rules["share"],
        },
        "shortcuts": shortcuts | {"best_column": best},
    }
    listed = {name: _rounded(one) for name, one in columns.items()}
    judged = verdicts(metrics, listed, params)
    metrics["suspicions"] = sum(verdict.level == "look" for verdict in judged)
    _write_pairs(pairs, nearest, rows, params.num_pairs).finish(
        rules=rules["suspicious"], columns=listed, params=params.model_dump()
    )
    return metrics


def _nearest(
    rows: ComparedRows, features: Path, parts: Parts, bar: tqdm[NoReturn]
) -> dict[str, Nearest]:
    ids = [frame["example_id"].tolist() for frame in (rows.train, rows.test)]
    texts = [frame["text"].tolist() for frame in (rows.train, rows.test)]

    def find(name: str) -> dict[str, np.ndarray]:
        text = name == "text"
        vectors = text_vectors(*texts) if text else feature_vectors(features / name, *ids)
        return vars(find_nearest(*vectors))

    nearest = {}
    for name in NEIGHBOURS:
        nearest[name] = Nearest(**parts.arrays(f"neighbours-{name}", partial(find, name)))
        bar.update()
    return nearest


def _write_pairs(
    folder: Path, nearest: dict[str, Nearest], rows: ComparedRows, number: int
) -> TableWriter:
    tables = [
        closest_pairs(modality, found, rows.train, rows.test, number)
        for modality, found in nearest.items()
    ]
    writer = TableWriter(folder, LEAKAGE, "leakage")
    writer.write(shard_name(0), pa.concat_tables(tables))
    return writer


def _as_values(found: dict[str, Predictor]) -> dict[str, dict[str, float]]:
    return {name: asdict(one) for name, one in found.items()}


def _rounded(one: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in one.items()}
