"""Each test row's nearest training row, modality by modality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.feature_extraction.text import TfidfVectorizer

from fuseline.contracts import features_schema, iter_shards, read_manifest

Finish = Callable[[np.ndarray], np.ndarray]

QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
CHUNK_ROWS = 512
# Longer texts are compared by their beginnings.
TEXT_CHARACTERS = 500
MAX_NGRAMS = 100_000


@dataclass(frozen=True)
class Vectors:
    """Rows of unit length.

    Attributes:
        rows: (N,) index of each vector's row in its split.
        values: (N, D) float64, dense or sparse: in float32 the last digit of a rounded similarity
            would differ between processors.
        exact: N keys, equal where the rows are equal in this modality.
    """

    rows: np.ndarray
    values: Any
    exact: list[Any]


@dataclass(frozen=True)
class Nearest:
    """For M test rows, their nearest training rows; indices count rows of the splits.

    Attributes:
        test, train: (M,) int64.
        similarity: (M,) float64, cosine, at most 1.
        equal: M bool, whether some training row is the same in this modality.
    """

    test: np.ndarray
    train: np.ndarray
    similarity: np.ndarray
    equal: np.ndarray


def text_vectors(
    train: Sequence[str | None], test: Sequence[str | None]
) -> tuple[Vectors, Vectors]:
    """TF-IDF of runs of 3 to 5 characters within words, fitted on the training texts."""
    splits = [_with_text(texts) for texts in (train, test)]
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), max_features=MAX_NGRAMS)
    if splits[0][1]:
        vectorizer.fit(splits[0][1])
    found = []
    for rows, texts in splits:
        values = vectorizer.transform(texts) if splits[0][1] and texts else np.zeros((0, 1))
        found.append(Vectors(rows, values, [" ".join(text.casefold().split()) for text in texts]))
    return found[0], found[1]


def _with_text(texts: Sequence[str | None]) -> tuple[np.ndarray, list[str]]:
    present = [row for row, text in enumerate(texts) if text]
    return np.array(present, dtype=np.int64), [
        (texts[row] or "")[:TEXT_CHARACTERS] for row in present
    ]


def feature_vectors(
    features: Path, train_ids: Sequence[str], test_ids: Sequence[str]
) -> tuple[Vectors, Vectors]:
    """Frozen features averaged over positions, less the training mean: without that, all
    pictures are alike for what every picture has in common."""
    finish = _finisher(read_manifest(features, "features"))
    train, test = (_read_means(features, ids, finish) for ids in (train_ids, test_ids))
    centre = train[1].mean(0) if len(train[1]) else 0.0
    return _unit(*train, centre), _unit(*test, centre)


def _read_means(
    features: Path, ids: Sequence[str], finish: Finish
) -> tuple[np.ndarray, np.ndarray]:
    """`(rows, means (N, D) float64)` of the ids that have the modality."""
    positions, dim = read_manifest(features, "features")["shape"]
    place = {example_id: row for row, example_id in enumerate(ids)}
    wanted = pa.array(list(ids))
    rows: list[int] = []
    means: list[np.ndarray] = []
    for _, table in iter_shards(features, features_schema(positions, dim), "features"):
        found = table.filter(
            pc.and_(pc.is_in(table["example_id"], wanted), pc.is_valid(table["features"]))
        )
        rows += [place[example_id] for example_id in found["example_id"].to_pylist()]
        flat = found["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        # Positions of pictures that a row lacks beside others are NaN.
        values = finish(flat.reshape(-1, positions, dim))
        means.append(np.asarray(np.nanmean(values, 1, dtype=np.float64)))
    order = np.argsort(np.array(rows, dtype=np.int64))
    every = np.concatenate(means or [np.zeros((0, dim))])
    return np.array(rows, dtype=np.int64)[order], every[order]


def _finisher(manifest: dict[str, Any]) -> Finish:
    """Turns a table's features (N, P, D) into those of the whole encoder, where a table of pictures
    ends below its top."""
    if not manifest.get("top_layers"):
        return lambda values: values
    # Few sets need them: the libraries take seconds to load.
    from fuseline.data.modalities.image.networks import missing_layers, whole_features
    from fuseline.pipeline.precision import make_deterministic

    make_deterministic(0, 1)
    top = missing_layers(manifest)
    return lambda values: whole_features(top, values, np.ones(len(values), dtype=bool), "fp32")


def _unit(rows: np.ndarray, means: np.ndarray, centre: Any) -> Vectors:
    centred = means - centre
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    values = centred / np.where(norms > 0, norms, 1.0)
    return Vectors(rows, values, [row.tobytes() for row in means])


def find_nearest(train: Vectors, test: Vectors) -> Nearest:
    """The training row with the greatest cosine, the first of several; none where a split has no
    row with the modality."""
    if not len(train.rows) or not len(test.rows):
        empty = np.zeros(0, dtype=np.int64)
        return Nearest(empty, empty, np.zeros(0), np.zeros(0, dtype=bool))
    best, similarity = [], []
    for start in range(0, len(test.rows), CHUNK_ROWS):
        products = test.values[start : start + CHUNK_ROWS] @ train.values.T
        dense = products if isinstance(products, np.ndarray) else products.toarray()
        best.append(dense.argmax(1))
        similarity.append(dense.max(1))
    known = set(train.exact)
    return Nearest(
        test=test.rows,
        train=train.rows[np.concatenate(best)],
        similarity=np.clip(np.concatenate(similarity), -1.0, 1.0),
        equal=np.array([key in known for key in test.exact]),
    )


def neighbour_metrics(
    nearest: Nearest, train: pd.DataFrame, test: pd.DataFrame, near: float
) -> dict[str, Any]:
    """How close the splits come, and how well the nearest training row's label guesses.

    Returns:
        `rows` compared; `equal` and `near` rows; quantiles of `similarity`; `label_accuracy` of
        the nearest row's label; `label_conflicts`, near rows with another label. All 0 where
        nothing was compared.
    """
    compared = len(nearest.test)
    guessed = train["label"].to_numpy()[nearest.train]
    actual = test["label"].to_numpy()[nearest.test]
    labelled = pd.notna(guessed) & pd.notna(actual)
    is_near = nearest.similarity >= near
    agree = guessed == actual
    quantiles = np.quantile(nearest.similarity, list(QUANTILES.values())) if compared else [0.0] * 4
    return {
        "rows": compared,
        "equal": int(nearest.equal.sum()),
        "near": int(is_near.sum()),
        "similarity": dict(zip(QUANTILES, map(float, quantiles), strict=True)),
        "label_accuracy": float(agree[labelled].mean()) if labelled.any() else 0.0,
        "label_conflicts": int((is_near & labelled & ~agree).sum()),
    }


def closest_pairs(
    modality: str, nearest: Nearest, train: pd.DataFrame, test: pd.DataFrame, number: int
) -> pa.Table:
    """The closest pairs as rows of `contracts.LEAKAGE`, the closest first."""
    order = np.lexsort((nearest.test, -nearest.similarity))[:number]
    tests, trains = nearest.test[order], nearest.train[order]
    columns = {
        "modality": pa.array([modality] * len(order), pa.string()),
        "test_id": pa.array(test["example_id"].to_numpy()[tests], pa.string()),
        "train_id": pa.array(train["example_id"].to_numpy()[trains], pa.string()),
        # Rounded: the last bits depend on the order in which a processor adds.
        "similarity": pa.array(nearest.similarity[order].round(4), pa.float32()),
        "test_label": pa.array(test["label"].to_numpy()[tests], pa.string()),
        "train_label": pa.array(train["label"].to_numpy()[trains], pa.string()),
    }
    return pa.table(columns)
