from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fuseline.evaluation.leakage.neighbours import (
    closest_pairs,
    feature_vectors,
    find_nearest,
    neighbour_metrics,
    text_vectors,
)
from tests.unit.evaluation.leakage.conftest import MakeTables


def frame(labels: list[str | None], prefix: str) -> pd.DataFrame:
    ids = [f"{prefix}{row}" for row in range(len(labels))]
    return pd.DataFrame({"example_id": ids, "label": labels})


def test_texts_find_their_near_copy_and_their_copy():
    train = ["a yellow sports car on a road", None, "two cats asleep on the sofa", "rain"]
    test = ["two cats asleep on a sofa", "RAIN ", "quantum", None, ""]
    nearest = find_nearest(*text_vectors(train, test))
    assert nearest.test.tolist() == [0, 1, 2]
    assert nearest.train.tolist()[:2] == [2, 3]
    assert nearest.equal.tolist() == [False, True, False]
    assert 0.7 < nearest.similarity[0] < 1.0
    assert nearest.similarity[1] == pytest.approx(1.0)
    assert nearest.similarity[2] == 0.0


def test_features_are_compared_by_their_mean_less_what_all_rows_share(make_tables: MakeTables):
    """All vectors point almost the same way; less the mean, they tell the rows apart."""
    vectors = {"row0000": [101.0, 99.0], "row0001": [99.0, 101.0], "row0003": [102.0, 98.0]}
    rows = [{"split": "train"}, {"split": "train"}, {"split": "test"}, {"split": "test"}]
    tables = make_tables(rows, {"image": vectors})
    ids = ["row0000", "row0001"], ["row0002", "row0003"]
    nearest = find_nearest(*feature_vectors(tables.features / "image", *ids))
    assert (nearest.test.tolist(), nearest.train.tolist()) == ([1], [0])
    assert nearest.similarity[0] == pytest.approx(1.0)
    assert not nearest.equal[0]


def test_equal_features_are_counted_as_equal(make_tables: MakeTables):
    generator = np.random.default_rng(0)
    vectors = {f"row{row:04d}": generator.normal(size=8).tolist() for row in range(6)}
    vectors["row0005"] = vectors["row0002"]
    rows = [{"split": "train"}] * 4 + [{"split": "test"}] * 2
    tables = make_tables(rows, {"audio": vectors})
    ids = [f"row{row:04d}" for row in range(6)]
    nearest = find_nearest(*feature_vectors(tables.features / "audio", ids[:4], ids[4:]))
    assert nearest.train[1] == 2
    assert nearest.equal.tolist() == [False, True]


def test_nearest_is_what_a_loop_over_all_pairs_finds(make_tables: MakeTables):
    generator = np.random.default_rng(1)
    means = generator.normal(size=(1300, 5))
    vectors = {f"row{row:04d}": values.tolist() for row, values in enumerate(means)}
    rows = [{"split": "train"}] * 600 + [{"split": "test"}] * 700
    tables = make_tables(rows, {"video": vectors})
    ids = sorted(vectors)
    nearest = find_nearest(*feature_vectors(tables.features / "video", ids[:600], ids[600:]))
    centred = means - means[:600].mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = (unit[600:] @ unit[:600].T).argmax(1)
    # Features are stored in half precision.
    assert (nearest.train == expected).mean() > 0.97
    assert nearest.similarity == pytest.approx((unit[600:] @ unit[:600].T).max(1), abs=5e-3)


def test_the_figures_count_near_rows_conflicts_and_right_guesses():
    train, test = frame(["cat", "dog", None], "a"), frame(["cat", "cat", "dog"], "b")
    nearest = find_nearest(
        *text_vectors(["one sofa", "two sofas", "three"], ["one sofa", "two sofas", "three"])
    )
    metrics = neighbour_metrics(nearest, train, test, 0.9)
    assert (metrics["rows"], metrics["equal"], metrics["near"]) == (3, 3, 3)
    assert metrics["label_accuracy"] == 0.5
    assert metrics["label_conflicts"] == 1
    assert metrics["similarity"]["median"] == pytest.approx(1.0)


def test_a_modality_that_no_row_has_gives_the_same_keys():
    none = neighbour_metrics(find_nearest(*text_vectors([None], [None])), frame(["a"], "x"),
                             frame(["a"], "y"), 0.9)  # fmt: skip
    some = neighbour_metrics(find_nearest(*text_vectors(["abc"], ["abc"])), frame(["a"], "x"),
                             frame(["a"], "y"), 0.9)  # fmt: skip
    assert none.keys() == some.keys()
    assert none["similarity"].keys() == some["similarity"].keys()
    assert none["rows"] == 0


def test_the_closest_pairs_come_first():
    train, test = frame(["cat", "dog"], "a"), frame(["cat", "cat", "dog"], "b")
    texts = ["the cat sat on the mat", "dogs run"], ["the cat sat on a mat", "dogs run", "elephant"]
    pairs = closest_pairs("text", find_nearest(*text_vectors(*texts)), train, test, 2).to_pylist()
    assert [(pair["test_id"], pair["train_id"]) for pair in pairs] == [("b1", "a1"), ("b0", "a0")]
    assert [(pair["test_label"], pair["train_label"]) for pair in pairs] == [
        ("cat", "dog"),
        ("cat", "cat"),
    ]
