"""The work of the stage `stress`: every suite on two models and the same test rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from fuseline.data.dataset import load_data
from fuseline.errors import ContractError
from fuseline.evaluation.sampling import sample
from fuseline.evaluation.stress import SUITES, Context
from fuseline.evaluation.stress.audio import corrupted_recordings
from fuseline.evaluation.stress.corruption_scores import Point
from fuseline.evaluation.stress.image import corrupted_pictures
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.tasks.labelled import Examples, build_tasks, no_labelled_rows, with_labels
from fuseline.params.base import BaseParams
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.stress import StressParams
from fuseline.pipeline.parts import Parts
from fuseline.pipeline.precision import make_deterministic
from fuseline.pipeline.workers import Workers

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

    Suites, and each corruption of a medium at each severity, run as many at once as
    `base.num_threads` says, each on one thread. What is finished is kept in `work`, so that a
    killed run goes on from there.

    Returns:
        `rows`, `task`, and the figures by suite: fixed keys, finite numbers; no suite for a task
        whose rows do not stand alone (`retrieval`).

    Raises:
        ContractError: models of different tasks, no labelled test row, or tables that are not of
            one run.
    """
    workers = Workers(_Stress, (inputs, params, base, extract_features, work), base.num_threads)
    run = workers.here
    pieces = run.pieces()
    for _ in tqdm(workers.each(pieces), total=len(pieces), desc="stress", unit="piece"):
        pass
    found = {name: run.suite(name) for name in run.suites}
    _write_text_plot(plots, found.get("text", {}))
    return {"rows": len(run.context.test), "task": run.context.task.kind, **found}


class _Stress:
    """The suites as each process has them; arguments are those of `stress_models`.

    Attributes:
        suites: names of those that run.
    """

    def __init__(
        self,
        inputs: StressInputs,
        params: StressParams,
        base: BaseParams,
        extract_features: ExtractFeaturesParams,
        work: Path,
    ) -> None:
        make_deterministic(base.seed, 1)
        context = make_context(inputs, params, base, extract_features)
        self.context = replace(context, parts=Parts(work))
        self.corrupted = {
            "image": corrupted_pictures(self.context, params.image),
            "audio": corrupted_recordings(self.context, params.audio),
        }
        # Rows that are one another's candidates are right or not by their batch, and noise on
        # texts changes the batches.
        self.suites = list(map(str, params.suites if context.task.rows_stand_alone else []))

    def pieces(self) -> list[tuple[str, Point | None]]:
        """Suites by name, and of those with corrupted media each point."""
        return [
            piece
            for name in self.suites
            for piece in (
                [(name, point) for point in self.corrupted[name].points]
                if name in self.corrupted
                else [(name, None)]
            )
        ]

    def __call__(self, piece: tuple[str, Point | None]) -> None:
        """Work on a piece, unless it is finished."""
        name, point = piece
        if point is None:
            self.suite(name)
        else:
            self.corrupted[name].point(point)

    def suite(self, name: str) -> dict[str, Any]:
        """The figures of a suite."""
        found: dict[str, Any] = self.context.parts.values(name, partial(SUITES[name], self.context))
        return found


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
