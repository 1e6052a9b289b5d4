"""Conditions on items' cells: `genre=Drama`, `year>=2010`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fuseline.errors import ConfigError
from fuseline.registry import suggestion

_CONDITION = re.compile(
    r"\s*(?P<column>[^<>=]+?)\s*(?P<sign>>=|<=|=)\s*(?P<value>.*?)\s*", re.DOTALL
)
_PARTED = re.compile(r"[|,]")


@dataclass(frozen=True)
class Condition:
    """What a cell must be.

    Attributes:
        column: of the items' table.
        sign: `=`: the value is the cell, or a part of it between commas or `|`, whatever its
            case; `>=` or `<=`: the cell is a number at least or at most so large.
        value: as it was written.
    """

    column: str
    sign: str
    value: str

    @classmethod
    def of(cls, written: str, where: str) -> Condition:
        """A condition as people write it.

        Args:
            written: such as `year>=2010`.
            where: it stands, for the error.

        Raises:
            ConfigError: it is none.
        """
        found = _CONDITION.fullmatch(written)
        if not found or not found["value"]:
            raise ConfigError(
                f"{where}: expected COLUMN=VALUE, COLUMN>=NUMBER or COLUMN<=NUMBER, found"
                f" '{written}'. Write it as genre=Drama or 'year>=2010'."
            )
        if found["sign"] != "=" and np.isnan(number(found["value"])):
            raise ConfigError(
                f"{where}: expected a number behind {found['sign']}, found '{found['value']}'."
                " Compare with a number, or ask for a value by =."
            )
        return cls(found["column"], found["sign"], found["value"])


class Cells:
    """The cells of N items, prepared column by column as conditions ask for them.

    Args:
        rows: cells by column of each item; an item lacks those that it has not.
    """

    def __init__(self, rows: Sequence[Mapping[str, str]]) -> None:
        self._rows = rows
        self.columns = sorted({name for row in rows for name in row})
        self._numbers: dict[str, np.ndarray] = {}
        self._parts: dict[str, dict[str, list[int]]] = {}

    def fitting(self, conditions: Sequence[Condition], where: str) -> np.ndarray:
        """(N,) bool: items that meet every condition; one without the cell does not.

        Raises:
            ConfigError: there is no such column.
        """
        fits = np.ones(len(self._rows), dtype=bool)
        for one in conditions:
            if one.column not in self.columns:
                known = f"have {', '.join(self.columns)}" if self.columns else "have no cells"
                raise ConfigError(
                    f"{where}: no column '{one.column}': the items {known}."
                    f"{suggestion(one.column, self.columns)} Correct it, or leave it out."
                )
            fits &= self._met(one)
        return fits

    def _met(self, one: Condition) -> np.ndarray:
        if one.sign == "=":
            met = np.zeros(len(self._rows), dtype=bool)
            met[self._parts_of(one.column).get(one.value.casefold(), [])] = True
            return met
        numbers, bound = self._numbers_of(one.column), number(one.value)
        # No comparison with NaN holds.
        return np.asarray(numbers >= bound if one.sign == ">=" else numbers <= bound)

    def _numbers_of(self, column: str) -> np.ndarray:
        if column not in self._numbers:
            cells = (row.get(column, "") for row in self._rows)
            self._numbers[column] = np.array([number(cell) for cell in cells])
        return self._numbers[column]

    def _parts_of(self, column: str) -> dict[str, list[int]]:
        if column not in self._parts:
            found: dict[str, list[int]] = {}
            for place, row in enumerate(self._rows):
                cell = row.get(column, "")
                for part in {cell.strip(), *(one.strip() for one in _PARTED.split(cell))}:
                    found.setdefault(part.casefold(), []).append(place)
            self._parts[column] = found
        return self._parts[column]


def number(cell: str) -> float:
    """A cell as a number, NaN where it is none."""
    try:
        return float(cell)
    except ValueError:
        return float("nan")
