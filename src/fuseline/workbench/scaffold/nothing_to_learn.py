"""Rows of one modality without a label: nothing to learn, and nothing to match."""

from __future__ import annotations

import shlex

from fuseline.errors import ContractError
from fuseline.workbench.scaffold.proposal import Proposal


def refuse_without_target(proposal: Proposal) -> None:
    """Refuse what no task fits.

    Raises:
        ContractError: there is one modality, and no column looks like a label or a number to learn.
    """
    if proposal.task:
        return
    columns = [guess.column for guess in proposal.guesses if guess.field == "tabular"]
    left_out = any(guess.samples and not guess.field for guess in proposal.guesses)
    remedy = "Add a column with a label or a number for each row, or another modality"
    if columns:
        remedy = (
            "Say which column is to be learnt, as in"
            f" --use {shlex.quote(columns[-1] + '=label')} (or =target:number), or add one"
        )
    elif left_out:
        remedy = f"Do what is said above of a column that was left out, or {remedy.lower()}"
    raise ContractError(
        f"{proposal.path}: nothing to learn was found: no column looks like a label or a number to"
        f" learn, and {proposal.modalities[0]} alone has no other modality to be matched with."
        f" {remedy}. Nothing was changed."
    )
