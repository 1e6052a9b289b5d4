"""The five severities, and a corruption's constant at each."""

from __future__ import annotations

from typing import TypeVar

from fuseline.errors import ConfigError

SEVERITIES = (1, 2, 3, 4, 5)

T = TypeVar("T")


def graded(values: tuple[T, T, T, T, T], severity: int) -> T:
    """The value at a severity.

    Raises:
        ConfigError: no whole number from 1 to 5.
    """
    if severity not in SEVERITIES:
        raise ConfigError(
            f"severity: expected a whole number from 1 (least) to 5, found {severity!r}."
        )
    return values[SEVERITIES.index(severity)]
