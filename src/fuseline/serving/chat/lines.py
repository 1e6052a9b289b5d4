"""Files of JSON lines that people write: each line is checked, and a wrong one is named."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from fuseline.errors import ContractError

M = TypeVar("M", bound=BaseModel)


def read_lines(path: Path, kind: type[M], remedy: str) -> list[M]:
    """The objects of a file; lines end where those of JSON do.

    Args:
        path: of the file, UTF-8 with a byte order mark or without.
        kind: of its lines.
        remedy: a sentence for whoever wrote a wrong one.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
        ContractError: a line is wrong; it is named.
    """
    found = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            try:
                found.append(kind.model_validate_json(line))
            except ValidationError as error:
                told = problem_of(error, "line")
                raise ContractError(f"{path}: line {number}: {told}. {remedy}") from None
    return found


def problem_of(error: ValidationError, whole: str) -> str:
    """The first problem, behind the part that has it; `whole` where it is all of it."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or whole}: {first['msg']}"
