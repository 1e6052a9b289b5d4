"""What a run will cost, before it begins: time, memory and disk of each stage."""

from __future__ import annotations

from pathlib import Path

from fuseline.config import PARAMS_FILE, read_yaml
from fuseline.errors import ContractError
from fuseline.params.tokenize import TokenizeParams
from fuseline.pipeline import durations
from fuseline.pipeline.machine import available_cores
from fuseline.pipeline.stage import WORK_FOLDER
from fuseline.workbench.estimate.asked import Asked
from fuseline.workbench.estimate.calibration import calibrate
from fuseline.workbench.estimate.costs import Estimator
from fuseline.workbench.estimate.due import find_due
from fuseline.workbench.estimate.facts import Facts, counted, ingested
from fuseline.workbench.estimate.slopes import measured
from fuseline.workbench.estimate.table import describe, describe_unknown

NOTHING = "Nothing to run: every stage is up to date. What all cost: fuseline estimate --all"


def estimate(root: Path, *, rows: int | None = None, every: bool = False) -> str:
    """What the next `dvc repro` costs, or, of every stage, what a number of rows does.

    Args:
        root: of the repository, which is the working directory.
        rows: how many; None for those that are there.
        every: all stages, as if none was up to date; so also where `rows` are given.

    Raises:
        ConfigError: wrong params, a source that is not there, or DVC cannot tell what is to run.
    """
    content = read_yaml(root / PARAMS_FILE)
    asked, due = Asked.of(content), find_due(root)
    every = every or rows is not None
    stages = [name for name in due.stages if every or name in due.will | due.may]
    if not stages:
        return NOTHING
    there = _ingested(root, asked.tokenize)
    # Where `ingest` is to run it may keep other rows than are there.
    as_before = None if "ingest" in due.will else there
    facts = as_before or counted(asked.ingest, asked.tokenize, rows)
    if facts is None:
        return describe_unknown(None if every else due, stages)
    if as_before and rows is not None:
        facts = as_before.scaled(rows)
    estimator = Estimator(content, facts, measured(), calibrate(), available_cores())
    costs = estimator.costs(stages, durations.read(root / WORK_FOLDER), there)
    return describe(None if every else due, costs, facts.told)


def _ingested(root: Path, tokenize: TokenizeParams) -> Facts | None:
    """The rows that are there; None where none were ingested."""
    try:
        return ingested(root, tokenize)
    except (ContractError, KeyError):
        return None
