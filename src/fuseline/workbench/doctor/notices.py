"""What the last run found in the data that a person should look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fuseline.data.notices import read_notices
from fuseline.errors import ContractError
from fuseline.workbench.doctor.finding import Finding, Level


def notices(root: Path) -> Iterator[Finding]:
    """Input that was cut, blank, unknown or too little, as the metrics files tell."""
    try:
        found = read_notices(root / "metrics")
    except ContractError as error:
        remedy = "dvc checkout, or dvc repro to make it."
        yield Finding(Level.WARNING, "notices", str(error), remedy)
        return
    for notice in found:
        yield Finding(Level.WARNING, "notices", notice.found, notice.remedy)
    if not found:
        yield Finding(Level.OK, "notices", "nothing in the data of the last run asks for a look")
