"""What somebody says of a column, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from fuseline.data.sources.cells import TEXT_FIELDS
from fuseline.errors import ConfigError
from fuseline.params.base import MEDIA
from fuseline.params.ingest import TargetKind
from fuseline.registry import suggestion
from fuseline.workbench.scaffold.guess import SHARED, TARGET, Field

NOTHING = "nothing"
FIELDS = (
    *TEXT_FIELDS,
    *MEDIA,
    "tabular",
    *(f"{TARGET}{kind}" for kind in get_args(TargetKind)),
    NOTHING,
)


def told_fields(uses: Sequence[str]) -> dict[str, Field]:
    """Fields by column, of entries such as `price=target:number`; None for `nothing`.

    Raises:
        ConfigError: an entry is no such pair, or two give the same column or field.
    """
    told: dict[str, Field] = {}
    for entry in uses:
        column, equals, field = entry.rpartition("=")
        if not equals or field not in FIELDS:
            raise ConfigError(
                f"--use: expected COLUMN=USE, found {entry!r}. Uses: {', '.join(FIELDS)}."
                f"{suggestion(field, list(FIELDS))}"
            )
        if column in told:
            raise ConfigError(f"--use: {column!r} stands twice. Give a column one use.")
        told[column] = None if field == NOTHING else field
    exclusive = {*TEXT_FIELDS, *MEDIA} - {*SHARED}
    single = [field for field in told.values() if field in exclusive]
    repeated = sorted({field for field in single if single.count(field) > 1 and field})
    if repeated:
        raise ConfigError(f"--use: {repeated[0]} takes one column, found several. Choose one.")
    return told
