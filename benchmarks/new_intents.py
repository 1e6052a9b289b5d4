"""BANKING77: each intent in turn added from five sentences to the other 76, without training.

Vectors are those of the default's text encoder as it comes; an export's own are of an encoder that
learnt the other intents. Needs `train.csv` and `test.csv` in `$FUSELINE_TEST_DATA/banking77`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from benchmarks.retrieval import Encoder, data_folder
from fuseline.evaluation.trust.scope import unit
from fuseline.serving.chat.new_intents import LEAST_SENTENCES, Bank, NewIntents


def main(num_intents: int | None = None, num_rows: int | None = None) -> None:
    """Print means over intents: of F1 and recall of the added one, and of the share of the others'
    test rows that it takes.

    Args:
        num_intents: that are added, the first ones; all by default.
        num_rows: of each file, evenly spread; all by default.
    """
    encode, folder = Encoder(), data_folder("banking77")
    (train, labels), (test, truth) = (
        read(folder / name, num_rows) for name in ("train.csv", "test.csv")
    )
    vectors, asked = unit(encode(train)), unit(encode(test))
    rng = np.random.default_rng(0)
    found = [
        added(name, vectors, labels, asked, truth, rng) for name in sorted(set(truth))[:num_intents]
    ]
    means = np.mean(found, axis=0)
    names = ("f1", "recall", "others_taken")
    print(json.dumps(dict(zip(names, means.round(4).tolist(), strict=True))))


def read(path: Path, num_rows: int | None) -> tuple[list[str], np.ndarray]:
    """Texts and labels of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    kept = rows[:: max(1, len(rows) // num_rows) if num_rows else 1]
    return [text for text, _ in kept], np.array([label for _, label in kept], dtype=object)


def added(
    name: str,
    vectors: np.ndarray,
    labels: np.ndarray,
    asked: np.ndarray,
    truth: np.ndarray,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """F1, recall, and the share of the others taken, of an intent from five of its rows."""
    own = np.flatnonzero(labels == name)
    few = rng.choice(own, LEAST_SENTENCES, replace=False)
    others = labels != name
    intents = NewIntents({name: vectors[few]}, Bank(vectors[others], labels[others]))
    hit = np.array([intents.match(one) is not None for one in asked])
    right, wrong = (hit & (truth == name)).sum(), (hit & (truth != name)).sum()
    f1 = 2 * right / ((truth == name).sum() + right + wrong)
    return float(f1), float(right / (truth == name).sum()), float(wrong / (truth != name).sum())


if __name__ == "__main__":
    main()
