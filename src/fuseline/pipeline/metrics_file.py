"""Metrics files: a few headline figures that DVC's tables show, and all else beside them.

DVC makes a column of every number in a metrics file, within mappings too, but leaves lists out. So
the headline stands at the top, and the rest as one mapping in a list under `details`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fuseline.contracts import write_json
from fuseline.errors import ContractError

DETAILS = "details"


def write_metrics(path: Path, metrics: Mapping[str, Any], headline: Collection[str]) -> None:
    """Write a metrics file: fixed keys, finite numbers rounded to six decimals.

    Args:
        path: of the file, JSON.
        metrics: names to figures, mappings of figures, or tables.
        headline: names among them that DVC's tables show; of mappings their numbers, without what
            is nested deeper. Names that the run lacks are passed over.

    Raises:
        ValueError: a number is not finite.
    """
    shown: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for name, value in _rounded(metrics).items():
        if name not in headline:
            details[name] = value
        elif isinstance(value, dict):
            shown[name] = {key: item for key, item in value.items() if _is_plain(item)}
            if deeper := {key: item for key, item in value.items() if not _is_plain(item)}:
                details[name] = deeper
        else:
            shown[name] = value
    write_json(path, {**shown, DETAILS: [details]})


def read_metrics(path: Path) -> dict[str, Any]:
    """The figures of a metrics file, headline and details side by side.

    Raises:
        ContractError: there is no such file, or it is not JSON of this form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ContractError(f"{path}: not found. Run `dvc repro` to make it.") from None
    except ValueError as error:
        raise ContractError(f"{path}: not readable as JSON: {error}") from None
    return joined(content, str(path))


def joined(content: Any, where: str = "metrics") -> dict[str, Any]:
    """Headline and details side by side, of what the metrics file `where` holds.

    Raises:
        ContractError: it is not of a metrics file's form.
    """
    details = content.get(DETAILS, [{}]) if isinstance(content, dict) else None
    match details:
        case [dict(details)]:
            figures = {name: value for name, value in content.items() if name != DETAILS}
        case _:
            raise ContractError(
                f"{where}: expected a mapping of figures, with one mapping in a list under"
                f" '{DETAILS}'. Run `dvc repro` to make it."
            )
    for name, value in details.items():
        figures[name] = {**figures[name], **value} if name in figures else value
    return figures


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value
