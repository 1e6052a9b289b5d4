"""Zero-shot and k-shot figures of every prompt method and its rivals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from fuseline.data.dataset import MultimodalData, load_data
from fuseline.errors import ContractError
from fuseline.learning.model import FuselineForPreTraining, FuselineProcessor
from fuseline.learning.prompting import METHODS
from fuseline.learning.prompting.base import Material, PromptMethod
from fuseline.learning.prompting.curves import Cell, summarise
from fuseline.learning.prompting.shots import cell_seed, draw_shots, short_labels
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.labelled import (
    Examples,
    check_target,
    config_entry,
    no_labelled_rows,
    with_labels,
)
from fuseline.learning.tasks.scores import scores
from fuseline.params.base import BaseParams
from fuseline.params.finetune import TaskParams
from fuseline.params.prompt import PromptParams
from fuseline.pipeline.parts import Parts
from fuseline.pipeline.precision import make_deterministic
from fuseline.pipeline.workers import Workers
from fuseline.registry import lookup


@dataclass(frozen=True)
class PromptInputs:
    """What the stage reads.

    Attributes:
        pretrained: model folder.
        examples, tokens: the tables of those names.
        tokenizer: names the text encoder that a model without pre-training starts from.
        features: folder with one features table per modality.
    """

    pretrained: Path
    examples: Path
    tokens: Path
    tokenizer: Path
    features: Path


def prompt(
    inputs: PromptInputs,
    *,
    params: PromptParams,
    tasks: Sequence[TaskParams],
    base: BaseParams,
    work: Path,
) -> dict[str, Any]:
    """Run every method on every draw of shots and score it on the test split.

    What is learnt is the first classification among the tasks of fine-tuning; one that is a further
    task there, and has too few labels or no test rows, is passed over for the next. Without any
    nothing is run and all figures are 0: labels in words need labels.

    Methods that ask by words are left out, and their figures are 0, where the tokenizer knows
    nothing of the own name of a label, such as one in another script: most runs never asked for
    prompts, and those should not stop for them. Words that `prompt.label_words` gives are asked
    for, so there the same is an error.

    Nothing is chosen by test rows, nor by development rows: settings are those of the params. A
    finished cell (method, shots, seed) is kept in `work`, and each starts from a seed of its own,
    so a killed run goes on where it was and ends with the same figures. As many run at once as
    `base.num_threads` says, each on one thread, so that their figures do not hang on it.

    Returns:
        Metrics of fixed keys. What could not be run has `seeds` 0, as all have without a
        classification.

    Raises:
        ConfigError: a target that is not there, label words of an unknown label or of which the
            tokenizer knows nothing, or a template that is too long.
        ContractError: the first task of all is a classification with fewer than two labels, or with
            a split without labelled rows.
    """
    workers = Workers(_Cells, (inputs, params, tasks, base, work), base.num_threads)
    found_rows = workers.here.rows
    if found_rows is None:
        print(
            "prompt: no task of `finetune.tasks` is a classification that can be learnt and scored,"
            " so there is nothing to ask for; all figures are 0."
        )
        return _no_rows(params) | {"methods": _figures(params, {})}
    data, material = found_rows
    planned = list(_plan(_taking_part(material), params))
    bar = tqdm(planned, desc="prompt", unit="cell")
    found: dict[tuple[str, int], list[Cell]] = {}
    for (name, shots, _), cell in zip(bar, workers.each(planned), strict=True):
        found.setdefault((name, shots), []).append(cell)
    return _rows_of(data, material, base) | {"methods": _figures(params, found)}


class _Cells:
    """Runs cells in one process, and keeps each as it is finished. Arguments are those of `prompt`.

    Attributes:
        rows: all labelled rows, and what the methods see of them; None without anything to learn.
    """

    def __init__(
        self,
        inputs: PromptInputs,
        params: PromptParams,
        tasks: Sequence[TaskParams],
        base: BaseParams,
        work: Path,
    ) -> None:
        make_deterministic(base.seed, 1)
        self.rows = _material(inputs, params, tasks, base) if _has_classification(tasks) else None
        self.parts = Parts(work)
        self.methods: dict[str, PromptMethod] = {}

    def __call__(self, planned: tuple[str, int, int]) -> Cell:
        """One cell: method, shots, seed."""
        name, shots, seed = planned
        cell: Cell = self.parts.values(f"{name}-{shots}-{seed}", lambda: self._run(*planned))
        return cell

    def _run(self, name: str, shots: int, seed: int) -> Cell:
        assert self.rows is not None, "cells are planned only where there are rows"
        data, material = self.rows
        if name not in self.methods:
            # One at a time, for the models that they hold.
            self.methods.clear()
            self.methods[name] = _built(name, material)
        rows = _rows(data, material.data, shots, material.base.seed, seed)
        return _run_cell(self.methods[name], material, rows, (seed, shots))


def _has_classification(tasks: Sequence[TaskParams]) -> bool:
    return any(task.kind == Classification.kind for task in tasks)


def _taking_part(material: Material) -> list[str]:
    """Names of the methods that the modalities and the names of the labels allow."""
    methods = {
        name: lookup(METHODS, name, where="prompt.methods") for name in material.params.methods
    }
    able = [name for name, one in methods.items() if one.takes_part(material.base.modalities)]
    by_words = [name for name in able if methods[name].needs_words]
    unnamed = material.words.unnamed(material.tokenizer) if by_words else []
    if not unnamed:
        return able
    shown = ", ".join(unnamed[:5]) + (", …" if len(unnamed) > 5 else "")
    print(
        f"prompt: labels of whose names the tokenizer knows nothing: {shown}. So"
        f" {', '.join(by_words)} are left out and their figures are 0. Name such labels in"
        " `prompt.label_words`."
    )
    return [name for name in able if name not in by_words]


def _plan(methods: Sequence[str], params: PromptParams) -> Iterator[tuple[str, int, int]]:
    """(method, shots, seed) of all cells, one method after the other. Without shots nothing is
    drawn, so one seed says all."""
    for name in methods:
        for shots in METHODS[name].shots(params):
            for seed in range(params.num_seeds if shots else 1):
                yield name, shots, seed


def _material(
    inputs: PromptInputs, params: PromptParams, tasks: Sequence[TaskParams], base: BaseParams
) -> tuple[MultimodalData, Material] | None:
    """All labelled rows, and what the methods see of them; None without anything to learn."""
    processor = FuselineProcessor.from_pretrained(inputs.pretrained)
    tokenizer = processor.tokenizer
    rows = load_data(
        inputs.tokens, inputs.features, base.modalities, pad_token_id=tokenizer.pad_token_id
    )
    found = _first_classification(tasks, Examples(inputs.examples, rows, tokenizer), rows, inputs)
    if found is None:
        return None
    task, data = found
    model: Any = FuselineForPreTraining.from_pretrained(inputs.pretrained).eval()
    model.requires_grad_(False)
    test = np.flatnonzero(data.splits == "test")
    if len(test) > params.max_test_rows:
        random = np.random.default_rng(base.seed)
        test = np.sort(random.choice(test, params.max_test_rows, replace=False))
    material = Material(
        model=model,
        tokenizer=tokenizer,
        task=task,
        data=data.take(_pool(data, params, base.seed)),
        test=data.take(test),
        tokenizer_folder=inputs.tokenizer,
        features=inputs.features,
        params=params,
        base=base,
    )
    return data, material


def _first_classification(
    tasks: Sequence[TaskParams], examples: Examples, rows: MultimodalData, inputs: PromptInputs
) -> tuple[dict[str, Any], MultimodalData] | None:
    """Its entry of `config.tasks`, and the rows that have a label of it."""
    for index, asked in enumerate(tasks):
        if asked.kind != Classification.kind:
            continue
        check_target(Classification, asked.target, examples.kinds, f"finetune.tasks[{index}]")
        try:
            return _labelled(asked, examples, rows, inputs)
        except ContractError as error:
            # What every stage works for must be whole. A further task may have few labels: the
            # other stages put up with that.
            if index == 0:
                raise
            print(f"prompt: the task '{asked.name}' is passed over. {error}")
    return None


def _labelled(
    asked: TaskParams, examples: Examples, rows: MultimodalData, inputs: PromptInputs
) -> tuple[dict[str, Any], MultimodalData]:
    """The task and its rows.

    Raises:
        ContractError: it cannot be learnt, or not be scored.
    """
    learnt = Classification(asked.name, Classification.learn(examples.cells(asked.target)))
    task = config_entry(asked, learnt)
    data = with_labels(rows, examples, [task])
    if len(np.unique(data.labels[data.splits == "train"])) < 2:
        raise ContractError(
            f"{inputs.examples}: the train split has fewer than two labels of '{asked.name}', so"
            " shots of it tell nothing apart. Add training rows of another label."
        )
    if not (data.splits == "test").any():
        raise no_labelled_rows(examples, "test", asked.name)
    return task, data


def _pool(data: MultimodalData, params: PromptParams, base_seed: int) -> np.ndarray:
    """Rows of all draws together: draws of a seed are nested, so the largest hold them all."""
    draws = [
        draw_shots(data, max(params.shots), base_seed=base_seed, seed=seed)
        for seed in range(params.num_seeds)
    ]
    return np.unique(np.concatenate(draws))


def _rows(
    data: MultimodalData, pool: MultimodalData, shots: int, base_seed: int, seed: int
) -> np.ndarray:
    """The draw as indices into the pool, which keeps the order of the rows."""
    drawn = draw_shots(data, shots, base_seed=base_seed, seed=seed)
    place = {name: index for index, name in enumerate(pool.example_ids)}
    return np.array([place[data.example_ids[row]] for row in drawn], dtype=np.int64)


def _built(name: str, material: Material) -> PromptMethod:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(material.base.seed)
        return METHODS[name](material)


def _run_cell(
    method: PromptMethod, material: Material, rows: np.ndarray, cell: tuple[int, int]
) -> dict[str, dict[str, float]]:
    """Accuracy and macro-F1 by variant."""
    seed = cell_seed(material.base.seed, *cell)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = method.scores(rows, seed)
    test = material.test
    return {
        name: scores(test.labels, values.argmax(-1), len(test.label_names))
        for name, values in found.items()
    }


def _rows_of(data: MultimodalData, material: Material, base: BaseParams) -> dict[str, Any]:
    """How many rows and labels there were, and how many of them each number of shots draws."""
    labels = len(data.label_names)
    return {
        "rows": {"train": int((data.splits == "train").sum()), "test": len(material.test)},
        "labels": labels,
        "chance": 1 / labels,
        "shots": {
            str(shots): {
                "rows": len(draw_shots(data, shots, base_seed=base.seed, seed=0)),
                "short_labels": short_labels(data, shots),
            }
            for shots in material.params.shots
        },
    }


def _no_rows(params: PromptParams) -> dict[str, Any]:
    """The same where nothing is asked of any row."""
    return {
        "rows": {"train": 0, "test": 0},
        "labels": 0,
        "chance": 0.0,
        "shots": {str(shots): {"rows": 0, "short_labels": 0} for shots in params.shots},
    }


def _figures(params: PromptParams, found: dict[tuple[str, int], list[Cell]]) -> dict[str, Any]:
    """By variant and shots, `summarise` of its cells."""
    return {
        variant: {
            str(shots): summarise(
                [cell[variant] for cell in found.get((name, shots), []) if variant in cell]
            )
            for shots in METHODS[name].shots(params)
        }
        for name in params.methods
        for variant in METHODS[name].variants
    }
