"""Rules that keep from the inputs what is no content: numbers of rows, times, folds, packed files.

A model that reads the number of a row, or when it was written, learns the order of the file: where
that is sorted by label it is always right, and knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from fuseline.data.sources.split_names import split_named
from fuseline.workbench.scaffold.cells_of_several import (
    READ_SEPARATOR,
    embedded_file,
    files_apart,
    list_of,
    looks_like_base64,
    separator_of,
)
from fuseline.workbench.scaffold.groups import MOST_CODES
from fuseline.workbench.scaffold.guess import TARGET, Verdict, use
from fuseline.workbench.scaffold.names import (
    SPLIT_COLUMNS,
    is_asked,
    is_fold,
    is_identifier,
    is_index,
    is_numbered,
    is_time,
    plain,
)
from fuseline.workbench.scaffold.profile import MOST, Profile

# Codes of splits and numbers of folds are few.
_MOST_FOLDS = 20

CATEGORIES = f"{TARGET}categories"
_ONE_EACH = (
    "give each file a row of its own, and its product, say, as group; pictures parted by ';' are"
    " read as they are"
)
_LISTS = {
    "files": ("several files in a cell", _ONE_EACH),
    "texts": (
        "lists of texts",
        "give each text a row of its own, and the rows of one list a group",
    ),
    "numbers": ("lists of numbers", "a column for each place would be read as a table"),
    "Python": (
        "lists as Python prints them",
        f"written as JSON, or with '{READ_SEPARATOR}' between names, they can be learnt",
    ),
    "other": ("lists of objects or of different things", "columns of their own would be read"),
}


def packed(left: list[Profile]) -> Iterator[Verdict]:
    """Files written as text, lists, and several names in a cell."""
    for profile in left:
        if profile.medium:
            continue
        kind = embedded_file(profile)
        if kind:
            yield Verdict(
                profile, None, kind, "write each to a file, and its path into the column instead"
            )
        elif looks_like_base64(profile):
            yield Verdict(
                profile, None, "base64 of no known format", "decode it into files or columns"
            )
        else:
            yield from _several(profile)


def _several(profile: Profile) -> Iterator[Verdict]:
    lists = list_of(profile)
    if lists == "names":
        yield Verdict(profile, CATEGORIES, "lists of names")
    elif lists:
        yield Verdict(profile, None, *_LISTS[lists])
    elif profile.filled and not profile.is_text:
        if any(isinstance(cell, dict) for cell in profile.filled):
            yield Verdict(profile, None, "objects", "columns of their own would be read")
    elif files_apart(profile):
        yield Verdict(profile, None, "several files in a cell", _ONE_EACH)
    else:
        separator = separator_of(profile)
        if separator:
            yield Verdict(profile, CATEGORIES, f"several names in a cell, parted by '{separator}'")


def splits(left: list[Profile]) -> Iterator[Verdict]:
    """Names of splits and nothing else; they speak before the column's name: `kind` of train, test.

    A single other value may be a class that is called so, a train beside buses.
    """
    for profile in left:
        named = {split_named(text) for text in profile.texts}
        alike = len(profile.texts) == len(profile.filled) and None not in named
        is_called_so = plain(profile.name) in SPLIT_COLUMNS
        if alike and (len(named) > 1 or is_called_so):
            yield Verdict(profile, "split", "names of splits")
        elif is_fold(profile.name) and profile.distinct <= _MOST_FOLDS:
            yield Verdict(
                profile,
                None,
                "folds of a cross-validation",
                "write train, dev or test into a column to keep them as splits",
            )
        elif (is_called_so or "train" in named) and profile.distinct <= _MOST_FOLDS:
            others = [text for text in dict.fromkeys(profile.texts) if not split_named(text)]
            if is_called_so or any(_MAYBE_SPLIT.issuperset({text.lower()}) for text in others):
                yield Verdict(
                    profile,
                    None,
                    f"splits, but not all by a name that is known: {', '.join(others[:3])}",
                    "write train, dev or test to keep them, or say in ingest.split.names which"
                    f" they are, and {use(profile, 'split')}",
                )


_MAYBE_SPLIT = frozenset(
    ["eval", "evaluation", "holdout", "hold_out", "unlabeled", "unlabelled", "extra", "trial"]
)


def indexes(left: list[Profile]) -> Iterator[Verdict]:
    """What a data frame writes along with its columns."""
    for profile in left:
        if is_index(profile.name) and (profile.is_drawn_once or _counts_up(profile)):
            yield Verdict(
                profile,
                None,
                "row numbers of a data frame",
                "nothing: they say where a row stood, and begin anew in each file",
            )


def times(left: list[Profile]) -> Iterator[Verdict]:
    """Points in time: what counts is mostly the order of the rows."""
    for profile in left:
        if profile.is_clock and (is_time(profile.name) or profile.distinct > MOST_CODES):
            yield _time(profile, "a time stamp: seconds, or parts of them, since 1970")
        elif profile.has_times_of_day:
            yield _time(profile, "a time stamp")
        elif is_time(profile.name) and profile.rises:
            yield _time(profile, "a time stamp, in the order of the rows")


def _time(profile: Profile, reason: str) -> Verdict:
    return Verdict(profile, None, reason, f"{use(profile, 'tabular')} reads it, if when tells what")


def counters(left: list[Profile]) -> Iterator[Verdict]:
    """Numbers and names that tell rows apart, and values in the order of the rows."""
    for profile in left:
        by_name = is_identifier(profile.name) or is_numbered(profile.name)
        if _counts_up(profile) or (profile.is_drawn_once and not is_asked(profile.name)):
            yield _of_row(profile, "numbers the rows")
        elif by_name and profile.is_nearly_unique:
            yield _of_row(profile, "another value in nearly every row")
        elif is_identifier(profile.name) and profile.integers and profile.distinct > MOST_CODES:
            yield _of_row(profile, "ids, which are no amounts")
        elif _is_measured(profile) and profile.rises and not is_asked(profile.name):
            yield Verdict(
                profile,
                None,
                "rises or falls from row to row, as a counter does",
                f"{use(profile, 'tabular')} reads it, if the rows were sorted by it",
            )


def _of_row(profile: Profile, reason: str) -> Verdict:
    together = f"{use(profile, 'group')} keeps its rows together"
    if not profile.is_nearly_unique:
        return Verdict(profile, None, reason, together)
    return Verdict(profile, None, reason, f"{use(profile, 'id')} names rows by it, {together}")


def _is_measured(profile: Profile) -> bool:
    return profile.is_numeric or profile.is_date


def _counts_up(profile: Profile) -> bool:
    """Whether most values are one more than the value before."""
    values = profile.integers
    steps = sum(after - before == 1 for before, after in pairwise(values))
    return len(values) > 2 and steps >= MOST * (len(values) - 1)
