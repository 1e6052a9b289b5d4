"""Which stages `dvc.yaml` has, cells of a matrix one by one.

Read by itself, as `dvc.lock` is (`fuseline.pipeline.lock_file`): DVC's own interface takes seconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fuseline.config import read_yaml


class Declared:
    """The stages of a `dvc.yaml`; `name in declared` for one stage or cell."""

    def __init__(self, root: Path) -> None:
        stages = read_yaml(root / "dvc.yaml").get("stages") or {}
        self._cells = {cell for name, entry in stages.items() for cell in _cells(name, entry or {})}

    def __contains__(self, name: str) -> bool:
        # Where values of a matrix come from elsewhere, each of its cells may be declared.
        stage, at, _ = name.partition("@")
        return name in self._cells or f"{stage}{at}*" in self._cells


def _cells(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Names that DVC gives to a stage or the cells of its matrix; `name@*` where it cannot be told.

    Spelled as DVC does: values joined by dashes, mappings and lists by their key and place.
    """
    if "matrix" not in entry:
        yield f"{name}@*" if "foreach" in entry else name
        return
    matrix = entry["matrix"]
    if "${" in str(matrix):
        yield f"{name}@*"
        return
    axes = [
        [_spelled(key, place, value) for place, value in enumerate(values)]
        for key, values in matrix.items()
    ]
    for values in itertools.product(*axes):
        yield f"{name}@{'-'.join(values)}"


def _spelled(key: str, place: int, value: Any) -> str:
    if isinstance(value, Mapping | list):
        return f"{key}{place}"
    return str(value).lower() if isinstance(value, bool) else str(value)
