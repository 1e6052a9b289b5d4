"""Look-ups in a family's literal table, with an error that lists the valid names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from fuseline.errors import ConfigError

T = TypeVar("T")


def suggestion(name: str, valid: list[str]) -> str:
    """Return " Did you mean 'x'?" for a near miss, else an empty string."""
    near = difflib.get_close_matches(name, valid, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def lookup(table: Mapping[str, T], name: str, *, where: str) -> T:
    """Return `table[name]`.

    Args:
        table: a family's table, name to entry.
        name: the name asked for.
        where: the params key or argument that gave the name.

    Raises:
        ConfigError: no such name; the message lists the valid ones.
    """
    if name in table:
        return table[name]
    valid = sorted(table)
    raise ConfigError(
        f"{where}: unknown name '{name}'. Valid names: {', '.join(valid)}.{suggestion(name, valid)}"
    )
