"""Tasks as the params or a saved model name them, and rows with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import PreTrainedTokenizerFast

from fuseline.contracts import EXAMPLES, read_manifest, read_table
from fuseline.data.dataset import LABELS, MultimodalData, check_order
from fuseline.errors import ConfigError, ContractError
from fuseline.learning.tasks import TASKS
from fuseline.learning.tasks.base import Cells, Task
from fuseline.registry import lookup, suggestion

if TYPE_CHECKING:
    # For types alone: a stage is not tied to sections that it does not read.
    from fuseline.params.finetune import FinetuneParams, TaskParams

LABEL = "label"


class Examples:
    """The cells that tasks learn from, of the rows of some data, in their order.

    Args:
        folder: the examples table.
        data: rows of the tables made from it.
        tokenizer: of their tokens.

    Attributes:
        folder: the examples table.
        given_splits: where rows lie that came with a split.

    Raises:
        ContractError: the table's rows are not those of the data.
    """

    def __init__(
        self, folder: Path, data: MultimodalData, tokenizer: PreTrainedTokenizerFast
    ) -> None:
        self.folder = folder
        self._data = data
        self._tokenizer = tokenizer
        manifest = read_manifest(folder, "examples")
        self.kinds = {LABEL: "category", **manifest["targets"]}
        self.given_splits = frozenset(manifest.get("given_splits", ()))
        names = ["example_id", "text", "label", "lang", "targets"]
        self._table = read_table(folder, EXAMPLES, "examples", names)
        check_order(str(folder), self._table.column("example_id"), data.example_ids)

    def cells(self, target: str | None, of: MultimodalData | None = None) -> Cells:
        """Cells of `label`, of a target column, or of none: of all rows, or `of` some of them."""
        whole = self._cells(target)
        if of is None:
            return whole
        places = {example_id: row for row, example_id in enumerate(self._data.example_ids)}
        rows = [places[example_id] for example_id in of.example_ids]
        return replace(
            whole,
            values=[whole.values[row] for row in rows],
            texts=[whole.texts[row] for row in rows],
            langs=[whole.langs[row] for row in rows],
            data=of,
        )

    def _cells(self, target: str | None) -> Cells:
        if target is None:
            values: list[str | None] = [None] * len(self._data)
        elif target == LABEL:
            values = self._table.column("label").to_pylist()
        else:
            rows = self._table.column("targets").to_pylist()
            values = [dict(row or ()).get(target) for row in rows]
        return Cells(
            values,
            self._table.column("text").to_pylist(),
            self._data,
            self._tokenizer,
            f"{self.folder}, {target}",
            self._table.column("lang").to_pylist(),
        )


def no_labelled_rows(examples: Examples, split: str, task: str) -> ContractError:
    """The error of a split without a row that a task can use, as its rows came to lie there.

    Args:
        examples: all rows.
        split: without labelled rows.
        task: the task's name.
    """
    remedy = (
        "Its rows came with that split, which the shares of ingest.split do not change: fill in"
        " what the task learns in some of them, or give labelled rows that split"
        if split in examples.given_splits
        else f"Raise ingest.split.{split}, or add rows that have what the task learns"
    )
    return ContractError(
        f"{examples.folder}: the {split} split has no labelled rows for the task '{task}'."
        f" {remedy}."
    )


def learn_tasks(examples: Examples, params: FinetuneParams) -> list[dict[str, Any]]:
    """Entries for `config.tasks`.

    Raises:
        ConfigError: a target that is not there, or that such a task cannot learn.
        ContractError: a target with too little in it.
    """
    entries = []
    for index, entry in enumerate(params.tasks):
        where = f"finetune.tasks[{index}]"
        kind = lookup(TASKS, entry.kind, where=f"{where}.kind")
        check_target(kind, entry.target, examples.kinds, where)
        cells = examples.cells(entry.target)
        facts = kind.learn(cells) | kind.settings(params, cells)
        entries.append(config_entry(entry, kind(entry.name, facts, _key(index, entry.name))))
    return entries


def config_entry(params: TaskParams, task: Task) -> dict[str, Any]:
    """A task as `config.tasks` holds it."""
    return {
        "name": params.name,
        "kind": params.kind,
        "target": params.target,
        "weight": params.weight,
        "head": task.head,
        "facts": task.facts,
    }


def build_tasks(entries: Sequence[dict[str, Any]]) -> list[Task]:
    """The tasks of a model's configuration, in their order."""
    return [
        TASKS[entry["kind"]](entry["name"], entry["facts"], _key(index, entry["name"]))
        for index, entry in enumerate(entries)
    ]


def _key(index: int, name: str) -> str:
    return LABELS if index == 0 else f"{name}_labels"


def with_labels(
    data: MultimodalData,
    examples: Examples,
    entries: Sequence[dict[str, Any]],
) -> MultimodalData:
    """The rows that have a label of any task, with the labels of all and what heads read besides.

    Raises:
        ContractError: a cell that a task does not know.
    """
    tasks = build_tasks(entries)
    by_task = [
        (task, examples.cells(entry["target"])) for task, entry in zip(tasks, entries, strict=True)
    ]
    labels = {task.key: task.labels(cells) for task, cells in by_task}
    asked = np.any([task.has_label(labels[task.key]) for task in tasks], axis=0)
    first = labels.pop(LABELS)
    for task, cells in by_task:
        labels |= task.further_inputs(cells)
    labelled = replace(data, labels=first, other_labels=labels, label_names=tasks[0].label_names)
    return labelled.take(np.flatnonzero(asked))


def check_target(kind: type[Task], target: str | None, found: dict[str, Any], where: str) -> None:
    """Make sure that a task of some kind can learn a target.

    Args:
        kind: of task.
        target: its name; None for a kind that needs none.
        found: kinds of the targets that are there, by name.
        where: the task's key in the params, for the message.

    Raises:
        ConfigError: no such target, one of another kind, or one for a kind that needs none.
    """
    if not kind.target_kinds:
        if target is not None:
            raise ConfigError(
                f"{where}.target: {kind.kind} learns no target; expected null, found '{target}'."
                " Set it to null."
            )
        return
    if target not in found:
        raise ConfigError(
            f"{where}.target: expected one of {', '.join(found)}; found '{target}'."
            f"{suggestion(str(target), list(found))} Name further columns in the source's"
            " `columns.targets`."
        )
    if found[target] not in kind.target_kinds:
        raise ConfigError(
            f"{where}: {kind.kind} learns targets of kind {' or '.join(kind.target_kinds)}, but"
            f" '{target}' is of kind {found[target]}. Choose another task or target."
        )
