"""How a model's figures are called, whatever its task: for the report and the summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One figure of `metrics/evaluate/<model>.json`.

    Attributes:
        title: heads its column.
        meaning: in a sentence.
        is_share: between 0 and 1, shown as a percentage; others are shown as they are.
        is_error: better the smaller it is.
    """

    title: str
    meaning: str
    is_share: bool = True
    is_error: bool = False


# How many rows figures are of: no figure of the model.
ROWS = "rows"

# In the order of columns. A figure that is not here is listed by its own name.
FIGURES = {
    "accuracy": Figure("accuracy", "rows whose label is right."),
    "balanced_accuracy": Figure(
        "balanced accuracy", "mean share of each label's rows that are right."
    ),
    "rmse": Figure("RMSE", "root of the mean squared error, in the target's unit.", False, True),
    "mae": Figure("MAE", "mean absolute error, in the target's unit.", False, True),
    "r2": Figure(
        "R²", "1 for a perfect model, 0 for one that always says the mean of the test rows.", False
    ),
    "auc": Figure(
        "AUC", "how often a row of the upper half comes before one of the lower; 50 % by chance."
    ),
    "user_auc": Figure("AUC by user", "the same within each user's rows, mean over users."),
    "ndcg_at_10": Figure(
        "NDCG@10", "how well each user's ten first rows are chosen, mean over users."
    ),
    "recall_at_10": Figure("recall@10", "items taken later that a list of ten holds."),
    "recall_at_50": Figure("recall@50", "items taken later that a list of fifty holds."),
    "hit_rate_at_10": Figure("hits@10", "people of whose ten listed items one is taken later."),
    "mrr": Figure("MRR", "mean of one over the place of the first item taken later."),
    "coverage": Figure("coverage", "items that any list of ten holds."),
    "cold_share": Figure("cold items", "places of lists of ten that hold an item without events."),
    "recall_at_1": Figure(
        "recall@1", "queries whose nearest row is a match, mean over both directions of all pairs."
    ),
    "entity_f1": Figure("entity F1", "F1 of whole entities, borders and kind."),
    "entity_precision": Figure("precision", "entities found that are there."),
    "entity_recall": Figure("recall", "entities there that are found."),
    "word_accuracy": Figure("word accuracy", "words whose tag is right."),
    "chrf": Figure("chrF", "shared runs of characters, 0 to 100.", False),
    "bleu": Figure("BLEU", "shared runs of words, 0 to 100.", False),
    "exact_match": Figure("exact match", "texts written that are the reference but for spaces."),
    "token_accuracy": Figure(
        "token accuracy", "right tokens where each is told the right ones before it; it flatters."
    ),
    "macro_f1": Figure(
        "macro-F1", "mean F1 of all labels, rare ones counting as much as common ones."
    ),
    "micro_f1": Figure("micro-F1", "F1 over all pairs of row and label."),
    "mean_average_precision": Figure("mAP", "mean average precision of the labels that occur."),
    "subset_accuracy": Figure("whole sets", "rows whose set of labels is right to the last."),
    "right": Figure("right", "rows that count as right under attack."),
    "ece": Figure(
        "calibration error",
        "mean gap between confidence and accuracy over equally wide bins, once logits are divided"
        " by the temperature that the development rows give.",
    ),
    "ece_raw": Figure("raw calibration error", "the same with the logits as they are."),
    "robust_accuracy": Figure("robust accuracy", "rows right without an attack and under it."),
    "attack_success_rate": Figure("attack success", "rows that were right and fell."),
}


# What counts as right under attack, by the first task, where the title does not say it.
RIGHT = {
    "regression": "within half a standard deviation of the training rows' numbers",
    "ranking": "on the right side of the middle of the range",
    "multilabel": "the whole set of labels",
    "token_classification": "the tags of all words",
    "generation": "every token, each told the right ones before it",
}


def named_figures(metrics: Mapping[str, Any]) -> list[str]:
    """The figures of `FIGURES` that the metrics have, in that order."""
    return [name for name in FIGURES if name in metrics]


def other_figures(metrics: Mapping[str, Any]) -> list[str]:
    """The other plain numbers among them."""
    numbers = {name for name, value in metrics.items() if isinstance(value, int | float)}
    return sorted(numbers - FIGURES.keys() - {ROWS})


def labels_without_rows(metrics: Mapping[str, Any]) -> list[str]:
    """Labels that the test split has no row of, so that macro-F1 leaves them out."""
    per_class: Mapping[str, Mapping[str, float]] = metrics.get("per_class", {})
    return [label for label, figures in per_class.items() if not figures["support"]]


def title(name: str) -> str:
    """What a figure is called."""
    return FIGURES[name].title if name in FIGURES else name.replace("_", " ")


def shown(value: float, name: str, unit: str = "") -> str:
    """A figure as text: a share as a percentage with its unit, four digits of any other."""
    share = name in FIGURES and FIGURES[name].is_share
    return f"{100 * value:.1f}{unit}" if share else f"{value:.4g}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.1f}"
