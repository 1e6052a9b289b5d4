"""Tasks: what a model is fine-tuned for."""

from __future__ import annotations

from fuseline.learning.tasks.base import Task
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.generation import Generation
from fuseline.learning.tasks.multilabel import Multilabel
from fuseline.learning.tasks.ranking import Ranking
from fuseline.learning.tasks.recommendation import Recommendation
from fuseline.learning.tasks.regression import Regression
from fuseline.learning.tasks.retrieval import Retrieval
from fuseline.learning.tasks.token_classification import TokenClassification

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    "generation": Generation,
    "multilabel": Multilabel,
    "ranking": Ranking,
    "recommendation": Recommendation,
    "regression": Regression,
    "retrieval": Retrieval,
    "token_classification": TokenClassification,
}

__all__ = ["TASKS", "Task"]
