"""Facts beside the content that predict the label: each tried by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from fuseline.evaluation.leakage.rows import ComparedRows

MIN_ROWS = 5
# Of the cells of a column, from which on it counts as one of numbers.
NUMERIC_SHARE = 0.9
MAX_COLUMNS = 200


@dataclass(frozen=True)
class Shortcut:
    """A fact, or several that belong together.

    Attributes:
        title: what it is, for people.
        columns: of the compared rows; all numbers, or one of names.
        seen: whether a model gets to see it, in some form.
    """

    title: str
    columns: tuple[str, ...]
    seen: bool


SHORTCUTS: dict[str, Shortcut] = {
    "text_length": Shortcut("length of the text", ("text_length",), True),
    "language": Shortcut("language", ("language",), True),
    "presence": Shortcut("the modalities that a row holds", ("presence",), True),
    "image_size": Shortcut(
        "width and height of the picture", ("image_width", "image_height"), True
    ),
    "image_format": Shortcut("format and colours of the picture", ("image_format",), True),
    "media_bytes": Shortcut(
        "size of the media files", ("image_bytes", "audio_bytes", "video_bytes"), True
    ),
    "media_name": Shortcut("folder and name of the media file", ("media_name",), False),
    "source_row": Shortcut("position in the source", ("source_row",), False),
    "id_shape": Shortcut("form of the id", ("id_shape",), False),
    "license": Shortcut("licence", ("license",), False),
    "provenance": Shortcut("provenance", ("provenance",), False),
}


@dataclass(frozen=True)
class Predictor:
    """How well one fact guesses labels of test rows.

    Attributes:
        accuracy: of its guesses.
        gain: share of the errors of always guessing the commonest label that it removes; 0 where
            it is no better.
    """

    accuracy: float
    gain: float


def try_shortcuts(rows: ComparedRows) -> dict[str, Predictor]:
    """Each of `SHORTCUTS` by itself."""
    return {
        name: _predict(rows, rows.train[list(one.columns)], rows.test[list(one.columns)])
        for name, one in SHORTCUTS.items()
    }


def try_columns(rows: ComparedRows) -> dict[str, Predictor]:
    """Each column of the table by itself, the best first; at most 200 columns are tried."""
    columns = [name for name in rows.train_tabular.columns if name in rows.test_tabular.columns]
    found = {
        name: _predict(rows, *_column(rows.train_tabular[name], rows.test_tabular[name]))
        for name in columns[:MAX_COLUMNS]
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1].gain, item[0])))


def majority_accuracy(rows: ComparedRows) -> float:
    """Accuracy on test rows of the commonest training label."""
    train, test = rows.train["label"].dropna(), rows.test["label"].dropna()
    return float((test == _commonest(train)).mean()) if len(train) and len(test) else 0.0


def _column(train: pd.Series, test: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A column as numbers where most of its cells are, else as names."""
    numbers = pd.to_numeric(train, errors="coerce")
    if numbers.notna().sum() >= NUMERIC_SHARE * max(train.notna().sum(), 1):
        return numbers.to_frame(), pd.to_numeric(test, errors="coerce").to_frame()
    return train.fillna("").astype(str).to_frame(), test.fillna("").astype(str).to_frame()


def _predict(rows: ComparedRows, train: pd.DataFrame, test: pd.DataFrame) -> Predictor:
    labelled, asked = rows.train["label"].notna(), rows.test["label"].notna()
    labels, actual = rows.train["label"][labelled], rows.test["label"][asked]
    if not len(labels) or not len(actual):
        return Predictor(0.0, 0.0)
    train, test = train[labelled], test[asked]
    if all(
        pd.api.types.is_numeric_dtype(kind) or train[name].isna().all()
        for name, kind in train.dtypes.items()
    ):
        guesses = _by_tree(train, labels, test)
    else:
        guesses = _by_value(train.iloc[:, 0], labels, test.iloc[:, 0])
    accuracy = float((guesses == actual.to_numpy()).mean())
    base = majority_accuracy(rows)
    return Predictor(accuracy, max(0.0, (accuracy - base) / (1 - base)) if base < 1 else 0.0)


def _by_tree(train: pd.DataFrame, labels: pd.Series, test: pd.DataFrame) -> np.ndarray:
    """Guesses of a small decision tree; absent numbers go to a side of their own."""
    leaves = max(8, 4 * labels.nunique())
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=MIN_ROWS, random_state=0)
    numbers = [_narrow(frame.astype(np.float64).fillna(-1.0)) for frame in (train, test)]
    return np.asarray(tree.fit(numbers[0], labels).predict(numbers[1]))


def _narrow(frame: pd.DataFrame) -> np.ndarray:
    """Within the range of the numbers that the tree counts in; infinity is its end."""
    largest = np.finfo(np.float32).max
    return frame.to_numpy().clip(-largest, largest)


def _by_value(train: pd.Series, labels: pd.Series, test: pd.Series) -> np.ndarray:
    """The commonest label of each value that five training rows share, else of all."""
    groups = labels.groupby(train.to_numpy())
    told = {value: _commonest(group) for value, group in groups if len(group) >= MIN_ROWS}
    common = _commonest(labels)
    return np.array([told.get(value, common) for value in test], dtype=object)


def _commonest(labels: pd.Series) -> str:
    # The first in the alphabet of several.
    counts = labels.value_counts()
    return str(min(counts[counts == counts.max()].index))
