"""`fuseline init`: from somebody's file to a `params.yaml` that reads it."""

from __future__ import annotations

from fuseline.workbench.scaffold.bring import bring, place_of
from fuseline.workbench.scaffold.nothing_to_learn import refuse_without_target
from fuseline.workbench.scaffold.params_file import (
    read_params,
    replace_params,
    with_values,
)
from fuseline.workbench.scaffold.proposal import Proposal, propose
from fuseline.workbench.scaffold.settings import settings
from fuseline.workbench.scaffold.show import kept_as, next_steps, table
from fuseline.workbench.scaffold.told import told_fields

__all__ = [
    "Proposal",
    "bring",
    "kept_as",
    "next_steps",
    "place_of",
    "propose",
    "read_params",
    "refuse_without_target",
    "replace_params",
    "settings",
    "table",
    "told_fields",
    "with_values",
]
