"""Figures of the development split."""

from dataclasses import replace

import torch

from fuseline.model import FuselineForTasks
from fuseline.tasks.labelled import build_tasks
from fuseline.training.development import Development
from tests.made_tasks import cells, entry
from tests.tiny import config


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
