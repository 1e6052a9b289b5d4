"""Words that give the label away: rules of the form "has this word, so bears this label"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from fuseline.params.leakage import RuleParams

MAX_WORDS = 50_000
MAX_LISTED = 30


@dataclass(frozen=True)
class WordRule:
    """One rule, as it was learnt and as it held.

    Attributes:
        word: a word or two neighbouring ones, in lower case.
        label: what it tells.
        train_rows, test_rows: rows with the word.
        train_precision, test_precision: share of those that bear the label.
    """

    word: str
    label: str
    train_rows: int
    train_precision: float
    test_rows: int
    test_precision: float


@dataclass(frozen=True)
class WordRules:
    """What words alone can do.

    Attributes:
        accuracy: of the decision list on the test rows: the surest word of a text decides.
        suspicious: rules that held suspiciously well, those that cover most first, 30 at most.
        num_suspicious: how many there are.
        share: of the test rows that hold a suspicious word.
    """

    accuracy: float
    suspicious: list[WordRule]
    num_suspicious: int
    share: float


def learn_word_rules(train: pd.DataFrame, test: pd.DataFrame, params: RuleParams) -> WordRules:
    """Learn rules on labelled training rows, and see how they hold on labelled test rows.

    Words that fewer than `params.min_rows` training rows hold are left out. Of a rule's precision
    the Laplace estimate counts, so that rare words are not the surest by chance.
    """
    train, test = train[train["label"].notna()], test[test["label"].notna()]
    words = _count_words(train, test, params.min_rows)
    if words is None or not len(test):
        return WordRules(0.0, [], 0, 0.0)
    labels = sorted(train["label"].unique())
    number = {label: index for index, label in enumerate(labels)}
    train_labels = train["label"].map(number).to_numpy()
    # A label that no training row bears is never guessed right.
    test_labels = test["label"].map(number).fillna(-1).to_numpy(dtype=np.int64)
    counts = np.asarray(words.in_train.T @ np.eye(len(labels))[train_labels])
    certainty = (counts.max(1) + 1) / (counts.sum(1) + len(labels))
    common = int(np.bincount(train_labels).argmax())
    guesses = _decide(words.in_test, counts.argmax(1), certainty, common)
    chosen = [
        (index, rule)
        for index, rule in enumerate(_held(words, labels, counts, test_labels))
        if rule.test_rows >= params.min_rows
        and min(rule.test_precision, rule.train_precision) >= params.precision
    ]
    covered = np.asarray(words.in_test[:, [index for index, _ in chosen]].sum(1)).ravel() > 0
    suspicious = sorted((rule for _, rule in chosen), key=lambda one: (-one.test_rows, one.word))
    return WordRules(
        accuracy=float((guesses == test_labels).mean()),
        suspicious=suspicious[:MAX_LISTED],
        num_suspicious=len(suspicious),
        share=float(covered.mean()),
    )


@dataclass(frozen=True)
class _Words:
    """W words and pairs of words; sparse 0/1 matrices (N, W) say which rows hold which."""

    names: np.ndarray
    in_train: Any
    in_test: Any


def _count_words(train: pd.DataFrame, test: pd.DataFrame, min_rows: int) -> _Words | None:
    """Words that `min_rows` training rows hold; None where there are none."""
    vectorizer = CountVectorizer(
        binary=True,
        ngram_range=(1, 2),
        token_pattern=r"(?u)\b\w+\b",
        min_df=min(min_rows, max(len(train), 1)),
        max_features=MAX_WORDS,
    )
    texts = train["text"].fillna("")
    try:
        in_train = vectorizer.fit_transform(texts).tocsr()
    except ValueError:
        # Scikit-learn's word for a vocabulary without words.
        return None
    in_test = vectorizer.transform(test["text"].fillna("")).tocsr()
    return _Words(vectorizer.get_feature_names_out(), in_train, in_test)


def _decide(held: Any, told: np.ndarray, certainty: np.ndarray, common: int) -> np.ndarray:
    """Labels that the surest word of each row tells; the commonest without a known word."""
    order = np.lexsort((np.arange(len(certainty)), -certainty))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    guesses = np.full(held.shape[0], common, dtype=np.int64)
    for row in range(held.shape[0]):
        words = held.indices[held.indptr[row] : held.indptr[row + 1]]
        if len(words):
            guesses[row] = told[words[rank[words].argmin()]]
    return guesses


def _held(
    words: _Words, labels: list[str], counts: np.ndarray, test_labels: np.ndarray
) -> list[WordRule]:
    """The rule of each word, with what became of it on the test rows."""
    told, rows = counts.argmax(1), counts.sum(1)
    test_rows = np.asarray(words.in_test.sum(0)).ravel()
    one_hot = np.eye(len(labels) + 1)[test_labels][:, : len(labels)]
    right = np.asarray(words.in_test.T @ one_hot)[np.arange(len(told)), told]
    return [
        WordRule(
            word=str(word),
            label=labels[told[index]],
            train_rows=int(rows[index]),
            train_precision=round(float(counts[index, told[index]] / rows[index]), 4),
            test_rows=int(test_rows[index]),
            test_precision=round(float(right[index] / max(test_rows[index], 1)), 4),
        )
        for index, word in enumerate(words.names)
    ]
