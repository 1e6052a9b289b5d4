"""Rows, cells and tasks of every kind, small enough for a test, without any file."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from fuseline.config import load_section
from fuseline.data.dataset import LABELS, MultimodalData
from fuseline.data.modalities.text.vocabulary import train_tokenizer
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.tasks import TASKS, Task
from fuseline.learning.tasks.base import Cells
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.params.finetune import FinetuneParams
from tests.support.repository import PARAMS_FILE
from tests.support.tiny_models import config, rows

WORDS = ["ant", "bee", "cat", "tab", "can"]
TAGS = ["B-X", "I-X", "O", "B-Y"]
# Kinds whose losses spread a share of the target over classes.
SMOOTHED = {"classification", "generation", "multilabel", "ranking", "token_classification"}


def params() -> FinetuneParams:
    """The section as shipped, with a decoder that fits the tiny model."""
    shipped = load_section("finetune", FinetuneParams, PARAMS_FILE)
    shape = {"num_layers": 1, "num_heads": 2, "max_length_tokens": 8}
    return shipped.model_copy(update={"generation": shipped.generation.model_copy(update=shape)})


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """WordPiece of `WORDS`, with fewer ids than the tiny model has."""
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return PreTrainedTokenizerFast(tokenizer_object=train_tokenizer(WORDS, 64, words=True), **names)


def data(count: int = 24, **changes: object) -> MultimodalData:
    """Tiny rows, with the tokens of `texts`."""
    made = tokenizer()
    ids = [np.array(made(text or "")["input_ids"]) for text in texts(count)]
    return replace(rows(count), input_ids=ids, **changes)


def texts(count: int) -> list[str | None]:
    """Of one to eleven words, so that batches differ in width; none where `rows` has none."""
    return [
        " ".join(WORDS[(row + place) % 5] for place in range(1 + row % 11)) if has else None
        for row, has in enumerate(rows(count).text_mask)
    ]


def value(kind: str, row: int, text: str | None) -> str | None:
    """A cell that `kind` can learn; every sixth row has none."""
    if row % 6 == 4 or kind == "retrieval":
        return None
    values = {
        "classification": WORDS[row % 3],
        "generation": " ".join(WORDS[: 1 + row % 4]),
        "multilabel": json.dumps([word for place, word in enumerate(WORDS) if row & 1 << place]),
        "ranking": str(float(row * 7 % 5)),
        "regression": repr(20.0 + row * 1.5),
        "token_classification": text
        and " ".join(TAGS[(row + place) % 4] for place in range(len(text.split()))),
    }
    return values[kind]


def cells(kind: str, count: int = 24, **changes: object) -> Cells:
    given = texts(count)
    values = [value(kind, row, text) for row, text in enumerate(given)]
    made = {"values": values, "texts": given, "data": data(count), "tokenizer": tokenizer()}
    return Cells(**(made | {"where": "examples, it"} | changes))  # type: ignore[arg-type]


def entry(kind: str, found: Cells, name: str = "it", key: str = LABELS) -> dict[str, Any]:
    """As `learn_tasks` makes it."""
    facts = TASKS[kind].learn(found) | TASKS[kind].settings(params(), found)
    head = TASKS[kind](name, facts, key).head
    return {
        "name": name, "kind": kind, "target": name, "weight": 1.0, "head": head, "facts": facts,
    }  # fmt: skip


def made(kind: str, count: int = 24) -> tuple[Task, MultimodalData, FuselineForTasks]:
    """A task, labelled rows (some without a label), and a fresh model of the task."""
    found = cells(kind, count)
    one = entry(kind, found)
    (task,) = build_tasks([one])
    torch.manual_seed(0)
    model = FuselineForTasks(config(tasks=[one])).eval()
    return task, replace(found.data, labels=task.labels(found)), model


def perfect(task: Task, labels: Tensor) -> Tensor:
    """Logits that are as right as can be."""
    if task.kind == "retrieval":
        return 5.0 * torch.eye(len(labels)).unsqueeze(1).expand(-1, 2, -1)
    if task.kind == "multilabel":
        return 20.0 * (labels.nan_to_num() - 0.5)
    if task.kind == "regression":
        scaled = (labels - task.facts["mean"]) / task.facts["deviation"]
        return scaled.nan_to_num().float().unsqueeze(-1)
    if task.kind == "ranking":
        return torch.logit(labels.nan_to_num(), eps=1e-4).unsqueeze(-1)
    classes = task.facts.get("vocab_size") or len(task.label_names)
    return 20.0 * functional.one_hot(labels.clamp_min(0), classes).float()


def wrong(task: Task, labels: Tensor) -> Tensor:
    """Logits that are as wrong as can be."""
    best = perfect(task, labels)
    if task.kind == "retrieval":
        # Groups have two rows: a text lies with the picture of another group.
        return torch.stack([best[:, 0], best[:, 1].roll(2, dims=0)], dim=1)
    return -best
