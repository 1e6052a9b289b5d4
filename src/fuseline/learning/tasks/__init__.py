"""Tasks: what a model is fine-tuned for."""

from __future__ import annotations

from fuseline.tasks.base import Task
from fuseline.tasks.classification import Classification
from fuseline.tasks.generation import Generation
from fuseline.tasks.multilabel import Multilabel
from fuseline.tasks.ranking import Ranking
from fuseline.tasks.regression import Regression
from fuseline.tasks.retrieval import Retrieval
from fuseline.tasks.token_classification import TokenClassification

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    "generation": Generation,
    "multilabel": Multilabel,
    "ranking": Ranking,
    "regression": Regression,
    "retrieval": Retrieval,
    "token_classification": TokenClassification,
}

__all__ = ["TASKS", "Task"]
