"""Tasks: what a model is fine-tuned for."""

from __future__ import annotations

from fuseline.tasks.classification import Classification

TASKS: dict[str, type[Classification]] = {
    "classification": Classification,
}

__all__ = ["TASKS", "Classification"]
