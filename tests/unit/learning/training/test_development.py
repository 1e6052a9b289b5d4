"""Figures of the development split."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fuseline.data.dataset import NO_LABEL
from fuseline.errors import ContractError
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.training.development import Development, check_splits
from tests.support.tasks import cells, entry
from tests.support.tiny_models import config, rows


def test_a_further_task_takes_no_figure_of_the_first():
    """The accuracy of a column `token` would be called as the figure that picks the epoch."""
    texts, classes = cells("generation"), cells("classification")
    entries = [
        entry("generation", texts),
        entry("classification", classes, name="token", key="token_labels"),
    ]
    tasks = build_tasks(entries)
    labels = {"token_labels": tasks[1].labels(classes)}
    data = replace(texts.data, labels=tasks[0].labels(texts), other_labels=labels)
    torch.manual_seed(0)
    model = FuselineForTasks(config(tasks=entries)).eval()
    first = Development(tasks[:1], data, "fp32")(model)
    both = Development(tasks, data, "fp32")(model)
    assert {name: both[name] for name in first} == first
    assert "token_macro_f1" in both


@pytest.mark.parametrize(
    ("task", "split", "lacks"),
    [(0, "train", r"train split .* 'label'\. Raise ingest\.split\.train, or add rows"),
     (0, "dev", r"dev split .* 'label'\. Its rows came with that split"),
     (1, "train", "train split .* 'mood'"), (1, "dev", None)],
)  # fmt: skip
def test_every_task_needs_rows_to_learn_from_and_the_first_some_to_pick_by(task, split, lacks):
    facts = {"labels": ["ant", "bee", "cat"]}
    tasks = [Classification("label", facts), Classification("mood", facts, "mood_labels")]
    data = rows(12)
    splits = np.array(["train", "dev"] * 6)
    given = [np.zeros(12, dtype=np.int64), np.zeros(12, dtype=np.int64)]
    given[task][splits == split] = NO_LABEL
    data = replace(data, splits=splits, labels=given[0], other_labels={"mood_labels": given[1]})
    examples = SimpleNamespace(folder=Path("examples"), given_splits={"dev"})
    if lacks is None:
        check_splits(data, tasks, examples)
        return
    with pytest.raises(ContractError, match=lacks):
        check_splits(data, tasks, examples)
