"""What a model's outputs say of a row, by the kind of its task."""

from __future__ import annotations

from fuseline.serving.answers.base import Answer
from fuseline.serving.answers.classification import ClassAnswer
from fuseline.serving.answers.entities import EntityAnswer
from fuseline.serving.answers.generation import TextAnswer
from fuseline.serving.answers.multilabel import NamesAnswer
from fuseline.serving.answers.numbers import NumberAnswer, RatingAnswer
from fuseline.serving.answers.recommendation import ItemAnswer
from fuseline.serving.answers.retrieval import VectorAnswer

ANSWERS: dict[str, type[Answer]] = {
    "classification": ClassAnswer,
    "generation": TextAnswer,
    "multilabel": NamesAnswer,
    "ranking": RatingAnswer,
    "recommendation": ItemAnswer,
    "regression": NumberAnswer,
    "retrieval": VectorAnswer,
    "token_classification": EntityAnswer,
}

__all__ = ["ANSWERS", "Answer"]
