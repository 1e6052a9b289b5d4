"""`fuseline compare`, whole."""

from __future__ import annotations

from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.pipeline.revisions import WORKSPACE, resolve
from fuseline.workbench.comparing.evaluated import Evaluated, read_evaluated
from fuseline.workbench.comparing.predictions import Cache
from fuseline.workbench.comparing.table import figures_table
from fuseline.workbench.comparing.verdicts import verdicts

MEANING = (
    "Intervals are 95 %. Real: these two models differ on these rows by more than chance, p below"
    " 0.05 after Holm's correction for all tests here. Without the same rows' predictions on both"
    " sides counts of rows are compared, or else intervals. Another seed moves figures too."
)


def compare(root: Path, names: list[str]) -> str:
    """Figures of revisions side by side, and every revision against the first.

    Args:
        root: the repository's folder.
        names: git revisions, experiments or `workspace`; one alone is compared with the workspace.

    Raises:
        ConfigError: a name that is not there, or twice the same.
        ContractError: a revision without figures.
    """
    names = names if len(names) > 1 else [*names, WORKSPACE]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"'{repeated[0]}': named twice. Name revisions that differ.")
    revisions = [read_evaluated(resolve(root, name)) for name in names]
    first, *others = revisions
    lines = [*figures_table(revisions)]
    for revision in revisions:
        lines += [f"{revision.name}: {why}" for why in revision.left_out.values()]
    for other, sentences in zip(others, verdicts(first, others, Cache(root)), strict=True):
        lines += ["", f"{other.name} against {first.name}", *(f"  {line}" for line in sentences)]
        lines += [f"  {line}" for line in _missing(first, other)]
    return "\n".join([*lines, "", MEANING])


def _missing(first: Evaluated, other: Evaluated) -> list[str]:
    """Models that only one of the two was evaluated with."""
    return [
        f"{model}: not evaluated at {without.name}"
        for known, without in ((first, other), (other, first))
        for model in known.models
        if model not in without.models and model not in without.left_out
    ]
