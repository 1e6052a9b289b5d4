"""The work of the stage `stress`: every suite on two models and the same test rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from fuseline.data.dataset import load_data
from fuseline.errors import ContractError
from fuseline.evaluation.stress import SUITES, Context
from fuseline.evaluation.stress.base import sample
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.tasks.labelled import Examples, build_tasks, no_labelled_rows, with_labels
from fuseline.params.base import BaseParams
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.stress import StressParams
from fuseline.pipeline.parts import Parts
from fuseline.pipeline.precision import make_deterministic

TEXT_PLOT = "text.csv"
PLOT_COLUMNS = ("model", "noise", "strength", "score")


@dataclass(frozen=True)
class StressInputs:
    """What the stage reads.

    Attributes:
        models: folders of fine-tuned models, by name.
        examples, tokens: the tables of those names.
        features: folder with one features table per modality.
    """

    models: dict[str, Path]
    examples: Path
    tokens: Path
    features: Path


def stress_models(
    inputs: StressInputs,
    plots: Path,
    *,
    params: StressParams,
    base: BaseParams,
    extract_features: ExtractFeaturesParams,
    work: Path,
) -> dict[str, Any]:
    """Run the suites of `params.suites`, and write the data of their plots.

    A finished suite is kept in `work`, so that a killed run goes on with the next one.

    Returns:
        `rows`, `task`, and the figures by suite: fixed keys, finite numbers; no suite for a task
        whose rows do not stand alone (`retrieval`).

    Raises:
        ContractError: models of different tasks, no labelled test row, or tables that are not of
            one run.
    """
    make_deterministic(base.seed, base.num_threads)
    context = make_context(inputs, params, base, extract_features)
    # Rows that are one another's candidates are right or not by their batch, and noise on texts
    # changes the batches.
    suites = params.suites if context.task.rows_stand_alone else []
    parts = Parts(work)
    found: dict[str, Any] = {
        name: parts.values(name, partial(SUITES[name], context))
        for name in tqdm(suites, desc="stress", unit="suite")
    }
    _write_text_plot(plots, found.get("text", {}))
    return {"rows": len(context.test), "task": context.task.kind, **found}


def make_context(
    inputs: StressInputs,
    params: StressParams,
    base: BaseParams,
    extract_features: ExtractFeaturesParams,
) -> Context:
    """Load the models and a sample of the test rows.

    Raises:
        ContractError: as `stress_models`.
    """
    models = {
        name: FuselineForTasks.from_pretrained(folder).eval()
        for name, folder in inputs.models.items()
    }
    first, *others = models.values()
    if any(other.config.tasks != first.config.tasks for other in others):
        raise ContractError(
            f"{' and '.join(map(str, inputs.models.values()))}: expected models of the same tasks,"
            " found different ones. Run `dvc repro` to make them from one another."
        )
    entries = first.config.tasks
    task = build_tasks(entries)[0]
    processor = FuselineProcessor.from_pretrained(next(iter(inputs.models.values())))
    data = load_data(
        inputs.tokens,
        inputs.features,
        base.modalities,
        pad_token_id=first.config.special_tokens["pad"],
    )
    examples = Examples(inputs.examples, data, processor.tokenizer)
    labelled = with_labels(data, examples, entries)
    # Selected first: a copy of all training rows' features would be thrown away at once.
    test = labelled.select("test")
    test = test.take(task.own_rows(test))
    if not len(test):
        raise no_labelled_rows(examples, "test", task.name)
    return Context(
        models=models,
        task=task,
        test=test.take(sample(test.example_ids, params.max_rows)),
        examples=inputs.examples,
        processor=processor,
        params=params,
        base=base,
        extract_features=extract_features,
        seed=base.seed,
    )


def _write_text_plot(folder: Path, figures: dict[str, Any]) -> None:
    """One row per model, noise and strength, the clean text at 0; the heading alone without the
    suite. The score is the first figure of the task."""
    rows = [
        {"model": model, "noise": noise, "strength": point["strength"], "score": _score(point)}
        for model, by_noise in figures.items()
        for noise, curve in by_noise.items()
        if noise != "clean"
        for point in [{"strength": 0.0, **by_noise["clean"]}, *curve]
    ]
    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(rows, columns=list(PLOT_COLUMNS))
    frame.round(6).to_csv(folder / TEXT_PLOT, index=False)


def _score(point: dict[str, Any]) -> float:
    return float(point["accuracy" if "accuracy" in point else "right"])
