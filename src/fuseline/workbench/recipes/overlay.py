"""What a recipe sets in the params, as far as it fits the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from fuseline.params.whole import set_keys, targets_of

_TASKS = "finetune.tasks"


def overlay(
    params: Mapping[str, Any], before: Mapping[str, Any], source: Mapping[str, Any]
) -> dict[str, Any]:
    """Values by dotted key: the source's, and over them a recipe's.

    Tasks whose target the source lacks are left out, and where none is left, so is the key: what
    the data gives to learn then stands.

    Args:
        params: what the recipe sets, nested.
        before: the project's params.
        source: values by dotted key of the source that the project is to read; none if it reads
            what it did.
    """
    content = deepcopy(dict(before))
    set_keys(content, source)
    values = dict(leaves(params, content))
    known = targets_of(content)
    if _TASKS in values and known is not None:
        fitting = [task for task in values[_TASKS] if task["target"] in (None, *known)]
        values[_TASKS] = fitting
        if not fitting:
            del values[_TASKS]
    return {**source, **values}


def leaves(params: Mapping[str, Any], content: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted key; a mapping is one value where the project's has not all of its keys."""
    for name, value in params.items():
        key = f"{above}{name}"
        there = content.get(name) if isinstance(content, Mapping) else None
        if _is_below(value, there):
            yield from leaves(value, there, f"{key}.")
        else:
            yield key, value


def _is_below(value: Any, there: Any) -> bool:
    mappings = isinstance(value, Mapping) and isinstance(there, Mapping)
    return mappings and bool(value) and value.keys() <= there.keys()
