"""Rows of one modality without a label: nothing to learn, and nothing to match."""

from __future__ import annotations

import shlex

from fuseline.data.sources.webdataset_members import KEY
from fuseline.errors import ContractError
from fuseline.workbench.scaffold.guess import Guess
from fuseline.workbench.scaffold.proposal import Proposal
from fuseline.workbench.scaffold.unclaimed import USELESS


def refuse_without_target(proposal: Proposal) -> None:
    """Refuse what no task fits.

    Raises:
        ContractError: there is one modality, and no column looks like a label or a number to learn.
    """
    if proposal.task:
        return
    columns = [guess.column for guess in proposal.guesses if guess.field == "tabular"]
    left_out = any(_is_useful(guess) for guess in proposal.guesses)
    alike = [guess.column for guess in proposal.guesses if guess.instead == USELESS]
    found = f" ({alike[0]!r} is the same in every row)" if alike else ""
    remedy = "Add a column with a label or a number for each row, or another modality"
    if columns:
        remedy = (
            "Say which column is to be learnt, as in"
            f" --use {shlex.quote(columns[-1] + '=label')} (or =target:number), or add one"
        )
    elif key := _folder_of_samples(proposal):
        remedy = (
            f"The samples lie in folders, such as {key!r}: where these are their labels, unpack the"
            " archive, and name the folder instead"
        )
    elif left_out:
        remedy = f"Do what is said above of a column that was left out, or {remedy.lower()}"
    raise ContractError(
        f"{proposal.path}: nothing to learn was found: no column looks like a label or a number to"
        f" learn{found}, and {proposal.modalities[0]} alone has no other modality to be matched"
        f" with. {remedy}. Nothing was changed."
    )


def _is_useful(guess: Guess) -> bool:
    """Whether a column was left out that something would use."""
    return bool(guess.samples) and not guess.field and not guess.instead.startswith("nothing")


def _folder_of_samples(proposal: Proposal) -> str | None:
    """The folder of the first sample of an archive, where samples have folders."""
    keys = [guess.samples[0] for guess in proposal.guesses if guess.column == KEY and guess.samples]
    folder = keys[0].rpartition("/")[0] if keys else ""
    return folder or None
