"""What a column is for, or why it is left out and what would use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fuseline.workbench.scaffold.profile import Profile

# A field of the mapping, `tabular`, or `target:` and a kind of target; None leaves a column out.
Field = str | None
TARGET = "target:"
# Fields that several columns of a row may have.
SHARED = ("tabular", "text", "image")
BY_NAME = "by its name"
# More values than this make no label; more categories than this make no column of a table.
MOST_LABELS = 200


@dataclass(frozen=True)
class Guess:
    """What one column is for.

    Attributes:
        column: its name.
        field: a field of the mapping, `tabular`, `target:<kind>`, or None where it is left out.
        reason: why, for people.
        samples: some of its values.
        instead: of a column that is left out, what would use it.
        separator: what parts the names of a cell, of a set of them.
        pictures: of a cell at most, of a column of them.
    """

    column: str
    field: Field
    reason: str
    samples: Sequence[str]
    instead: str = ""
    separator: str = ""
    pictures: int = 0


@dataclass(frozen=True)
class Verdict:
    """What a rule says of a column; the attributes are those of `Guess`."""

    profile: Profile
    field: Field
    reason: str
    instead: str = ""
    separator: str = ""

    @property
    def is_exclusive(self) -> bool:
        """Whether no other column may have the field."""
        return self.field not in (None, *SHARED) and TARGET not in (self.field or "")


# Gives, for the columns that no rule has taken yet, those that it takes.
Rule = Callable[[list[Profile]], Iterator[Verdict]]


def use(profile: Profile, field: str) -> str:
    """How to say what a column is for."""
    return f"--use '{profile.name}={field}'"
