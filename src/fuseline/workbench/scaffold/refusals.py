"""What no mapping makes a data set of: a file without a header, rows within rows, interactions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from fuseline.data.media.names import medium_of_name
from fuseline.errors import ContractError
from fuseline.workbench.scaffold.guess import Guess
from fuseline.workbench.scaffold.names import is_how_much, is_what, is_who
from fuseline.workbench.scaffold.profile import Profile, parses_as_date, parses_as_number
from fuseline.workbench.scaffold.unclaimed import TEXT_WORDS

_SHOWN_NAMES, _SHOWN_COLUMNS = 3, 5
_SHOWN_CHARACTERS = 40
# Ratings are of few values; a text that hardly recurs is the row's own.
_MOST_RATINGS = 11
_OWN_SHARE = 0.9


def refuse_headerless(path: Path, profiles: Sequence[Profile]) -> None:
    """Refuse a table whose first line is a row, taken for the names of its columns.

    Raises:
        ContractError: a name is like the values below it, and no name is what a row never holds.
    """
    reasons = [reason for profile in profiles if (reason := _like_a_value(profile))]
    sentences = [profile for profile in profiles if _like_a_sentence(profile)]
    if not reasons and sentences and len(profiles) == 1:
        reasons = ["a sentence, as the lines below are"]
    if not reasons or _number_columns(profiles):
        return
    names = ",".join(f"column_{place}" for place, _ in enumerate(profiles, 1))
    first = ", ".join(_short(profile.name) for profile in profiles[:_SHOWN_NAMES])
    raise ContractError(
        f"{path}: expected names of columns in line 1, found what looks like a row: {first}"
        f" ({reasons[0]}). Put a line of names above it, of your own choice:"
        f" sed -i {shlex.quote('1i ' + names)} {shlex.quote(str(path))}.{_if_names(profiles)}"
    )


def refuse_title(path: Path, names: Sequence[str]) -> None:
    """Refuse a table whose first line is a title, behind which the other cells are empty.

    Raises:
        ContractError: of several columns, the first alone has a name.
    """
    if len(names) > 1 and names[0].strip() and not any(name.strip() for name in names[1:]):
        raise ContractError(
            f"{path}: expected names of columns in line 1, found one for {len(names)} columns:"
            f" {_short(names[0])}. Remove the lines above the names, or name every column."
        )


def refuse_wrapped(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a file that is one object, in which the rows lie.

    Raises:
        ContractError: it is.
    """
    for name, cell in records[0].items() if len(records) == 1 else ():
        if isinstance(cell, list) and len(cell) > 1 and all(isinstance(row, dict) for row in cell):
            raise ContractError(
                f"{path}: expected an array of rows, found one object whose {_short(name)} holds"
                f" {len(cell)} of them. Write that array alone into a file, and name that: jq"
                f" {shlex.quote(f'.{json.dumps(name)}')} {shlex.quote(str(path))} >"
                f" {shlex.quote(str(path.with_name('rows_alone.json')))}"
            )


def _if_names(profiles: Sequence[Profile]) -> str:
    """How to say that a line holds names after all, of one short enough to be typed."""
    short = [profile.name for profile in profiles if len(profile.name) <= _SHOWN_CHARACTERS]
    if not short:
        return ""
    return f" If they are names, say what one is for: --use {shlex.quote(short[0] + '=text')}."


def _like_a_value(profile: Profile) -> str | None:
    """Why a column's name looks like one of its values."""
    name = profile.name.strip()
    values = {text.strip() for text in profile.texts}
    if name in values and profile.repeats:
        return f"{_short(name)} is a value of its column, too"
    if parses_as_number(name) and profile.is_numeric and not _may_be_year(name, profile):
        return f"{_short(name)} is a number, as the values below are"
    if parses_as_date(name) and profile.is_date:
        return f"{_short(name)} is a date, as the values below are"
    if medium_of_name(name) and profile.medium == medium_of_name(name):
        return f"{_short(name)} is a file, as the values below are"
    return None


def _may_be_year(name: str, profile: Profile) -> bool:
    """Whether a column may be called by its year: the values below are no years."""
    is_year = name.isdigit() and len(name) == 4 and name[:2] in ("19", "20")
    return is_year and not all(1900 <= number < 2100 for number in profile.numbers)


def _like_a_sentence(profile: Profile) -> bool:
    words = len(profile.name.split())
    ends = profile.name.rstrip().endswith((".", "!", "…"))
    return words >= TEXT_WORDS and profile.mean_words >= TEXT_WORDS and (ends or words > 6)


def _number_columns(profiles: Sequence[Profile]) -> bool:
    """Whether the names are whole numbers that count up, as a data frame without names has."""
    numbers = [int(profile.name) for profile in profiles if profile.name.strip().isdigit()]
    steps = all(after - before == 1 for before, after in pairwise(numbers))
    return len(numbers) > 1 and steps and len(numbers) >= len(profiles) - 1


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    if len(one_line) > _SHOWN_CHARACTERS:
        one_line = one_line[: _SHOWN_CHARACTERS - 1] + "…"
    return f"'{one_line}'"


def refuse_interactions(path: Path, profiles: Sequence[Profile]) -> None:
    """Refuse rows that say what somebody thinks of something, and hold nothing of their own.

    Raises:
        ContractError: they do.
    """
    if any(profile.medium or _is_own(profile) for profile in profiles):
        return
    who = [profile for profile in profiles if is_who(profile.name) and _recurs(profile)]
    what = [profile for profile in profiles if is_what(profile.name) and not is_who(profile.name)]
    how_much = [profile for profile in profiles if is_how_much(profile.name) and _rates(profile)]
    if not (who and what and how_much):
        return
    names = [columns[0].name for columns in (who, what, how_much)]
    user, item, rating = names
    # A number that names an item is read by nobody unless somebody says so.
    uses = [f"{rating}=target:number", f"{user}=group"]
    uses += [f"{item}=tabular"] if what[0].integers else []
    raise ContractError(
        f"{path}: these look like interactions, users by items ({', '.join(names)}), not like rows"
        f" to classify: one {item} stands in many rows, whose content is the same. To recommend,"
        f" run init on a table with one row for each {item}, with its texts or media and its id,"
        " and name this file in ingest.interactions, which needs a time of each row too:"
        " docs/recommendations.md. To read it as it"
        f" is, say so: {' '.join(f'--use {shlex.quote(use)}' for use in uses)}."
    )


def _is_own(profile: Profile) -> bool:
    wordy = profile.is_text and profile.mean_words >= TEXT_WORDS
    return (
        wordy and profile.distinct > _OWN_SHARE * len(profile.texts) and not is_what(profile.name)
    )


def _recurs(profile: Profile) -> bool:
    return profile.distinct < len(profile.texts)


def _rates(profile: Profile) -> bool:
    return profile.is_numeric or profile.distinct <= _MOST_RATINGS


def refuse_inputless(path: Path, guesses: Sequence[Guess]) -> None:
    """Refuse columns of which none is an input, and say of each why.

    Raises:
        ContractError: always.
    """
    told = [
        f"{_short(guess.column)}: {guess.reason}"
        + (f"; {guess.instead}." if guess.instead else f", {guess.field}.")
        for guess in guesses[:_SHOWN_COLUMNS]
    ]
    more = len(guesses) - len(told)
    raise ContractError(
        f"{path}: none of its columns looks like text, media or a table. {' '.join(told)}"
        + (f" And {more} more." if more else "")
    )
