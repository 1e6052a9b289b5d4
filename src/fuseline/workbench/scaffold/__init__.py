"""`fuseline init`: from somebody's file to a `params.yaml` that reads it."""

from __future__ import annotations

from fuseline.workbench.scaffold.bring import bring, place_of
from fuseline.workbench.scaffold.params_file import (
    check_params,
    found_problems,
    with_source,
    write_whole,
)
from fuseline.workbench.scaffold.proposal import Proposal, propose
from fuseline.workbench.scaffold.show import next_steps, table

__all__ = [
    "Proposal",
    "bring",
    "check_params",
    "found_problems",
    "next_steps",
    "place_of",
    "propose",
    "table",
    "with_source",
    "write_whole",
]
