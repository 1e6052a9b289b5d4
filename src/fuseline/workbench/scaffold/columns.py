"""Guessing what each column is for, by its name and then by its values, and saying why.

A guess is shown before anything is written, so each rule is plain rather than clever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuseline.data.sources.cells import MODALITIES
from fuseline.data.sources.split_names import split_named
from fuseline.workbench.scaffold.profile import Profile

# More values than this make no label; more categories than this make no column of a table.
MOST_LABELS = 200
LABEL_CHARACTERS = 60
TEXT_WORDS = 3.0
BY_NAME = "by its name"

_NAMES = {
    "id": "id uid uuid guid key example_id row_id sample_id index idx __key__",
    "label": "label labels class cls category target y sentiment intent genre topic tag kind"
    " emotion diagnosis species",
    "group": "group group_id product product_id user user_id customer customer_id speaker"
    " speaker_id patient patient_id author author_id session session_id family subject_id",
    "lang": "lang language locale lang_code language_code",
    "license": "license licence rights terms",
    "provenance": "provenance source origin source_url url credit attribution",
    "text": "text txt sentence caption title description content body message review comment"
    " question utterance transcript transcription sentence1 prompt",
}
# Where the first rows are all of one split, the name has to agree.
_SPLIT_COLUMNS = frozenset({"split", "splits", "subset", "partition", "fold", "set", "part"})
_BY_NAME = {name: field for field, names in _NAMES.items() for name in names.split()}

_LANGUAGES = (
    "ar bg bn ca cs da de el en es et fa fi fr ga gu he hi hr hu id is it ja ka kn ko lt lv mk ml"
    " mr ms mt nb nl nn no pa pl pt ro ru sk sl sq sr sv sw ta te th tl tr uk ur vi zh"
)
_LANGUAGE = re.compile(rf"({'|'.join(_LANGUAGES.split())})([-_][A-Za-z]{{2,4}})?", re.IGNORECASE)
_LICENSE = re.compile(
    r"(cc[ -]?(0|by).*|creative commons.*|mit|apache.*|bsd.*|l?gpl.*|public domain|proprietary)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://\S+")
_TOKEN = re.compile(r"\S+")
_INTEGER = re.compile(r"\d+")


@dataclass(frozen=True)
class Guess:
    """What one column is for.

    Attributes:
        column: its name.
        field: a field of the mapping, `tabular`, or None where the column is left out.
        reason: why, for people.
        samples: some of its values.
    """

    column: str
    field: str | None
    reason: str
    samples: Sequence[str]


# Yields, for the columns that no rule has taken yet, those it takes with the field and the reason.
_Rule = Callable[[list[Profile]], Iterator[tuple[Profile, str, str]]]


def guess_columns(profiles: Sequence[Profile], root: Path | None) -> list[Guess]:
    """Guess every column, in their order; a field other than `tabular` is given once.

    Args:
        profiles: the columns.
        root: the folder that paths to media are relative to.
    """
    taken: dict[str, tuple[str | None, str]] = {}
    used: set[str] = set()

    def media(left: list[Profile]) -> Iterator[tuple[Profile, str, str]]:
        for profile in left:
            if profile.medium:
                yield profile, profile.medium, _media_reason(profile, root)

    rules: tuple[_Rule, ...] = (
        media,
        _split,
        _by_name,
        _terms,
        _identifier,
        _label,
        _text,
        _table,
    )
    for rule in rules:
        left = [profile for profile in profiles if profile.name not in taken and profile.filled]
        if rule is not media:
            left = [profile for profile in left if not profile.medium]
        for profile, field, reason in rule(left):
            if field != "tabular" and field in used:
                continue
            taken[profile.name] = field, reason
            used.add(field)
    if not used & set(MODALITIES):
        taken |= _only_text(profiles, taken)
    return [
        Guess(profile.name, *taken.get(profile.name, (None, _left_out(profile))), profile.samples)
        for profile in profiles
    ]


def _only_text(
    profiles: Sequence[Profile], taken: Mapping[str, tuple[str | None, str]]
) -> dict[str, tuple[str | None, str]]:
    """Something to learn from where no rule found it: short texts, rather than nothing."""
    for profile in profiles:
        field, reason = taken.get(profile.name, (None, ""))
        guessed_id = field == "id" and reason != BY_NAME
        if profile.is_text and (field is None or guessed_id) and not profile.looks_numeric:
            return {profile.name: ("text", "the only text there is")}
    return {}


def _media_reason(profile: Profile, root: Path | None) -> str:
    paths, there = profile.paths_there(root)
    if not paths:
        return f"holds {profile.medium} files"
    return f"paths to {profile.medium} files, {there} of {paths} found"


def _split(left: list[Profile]) -> Iterator[tuple[Profile, str, str]]:
    """Names of splits and nothing else; they speak before the column's name: `kind` of train, test.

    A single other value may be a class that is called so, a train beside buses.
    """
    for profile in left:
        splits = {split_named(text) for text in profile.texts}
        alike = len(profile.texts) == len(profile.filled) and None not in splits
        if alike and (len(splits) > 1 or _plain(profile.name) in _SPLIT_COLUMNS):
            yield profile, "split", "names of splits"


def _by_name(left: list[Profile]) -> Iterator[tuple[Profile, str, str]]:
    """Columns named like a field, where the values do not speak against it."""
    for profile in left:
        field = _BY_NAME.get(_plain(profile.name))
        if field and _may_be(field, profile):
            yield profile, field, BY_NAME


def _plain(name: str) -> str:
    return name.rpartition(".")[2].strip().lower().replace(" ", "_")


def _may_be(field: str, profile: Profile) -> bool:
    if not profile.is_text:
        return False
    if field == "id":
        return profile.is_unique
    if field == "group":
        return profile.distinct < len(profile.texts)
    if field == "label":
        return _may_label(profile)
    if field == "text":
        return not profile.looks_numeric and not profile.looks_dated
    return True


def _may_label(profile: Profile) -> bool:
    few = profile.repeats and profile.distinct <= MOST_LABELS
    return few and profile.mean_characters <= LABEL_CHARACTERS


def _terms(left: list[Profile]) -> Iterator[tuple[Profile, str, str]]:
    """Languages, licences and addresses, which their values tell."""
    for profile in left:
        if profile.repeats and profile.match(_LANGUAGE):
            yield profile, "lang", "language codes"
        elif profile.match(_LICENSE):
            yield profile, "license", "names of licences"
        elif profile.match(_ADDRESS):
            yield profile, "provenance", "web addresses"


def _identifier(left: list[Profile]) -> Iterator[tuple[Profile, str, str]]:
    """One word a row, never twice; numbers only where they count up."""
    for profile in left:
        if profile.is_unique and profile.match(_TOKEN) and not profile.looks_dated:
            if profile.match(_INTEGER):
                numbers = [int(text) for text in profile.texts if text.isdigit()]
                if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                    continue
            elif profile.looks_numeric:
                continue
            yield profile, "id", "another value in every row"


def _label(left: list[Profile]) -> Iterator[tuple[Profile, str, str]]:
    """The last column of few words, as labels come last by custom; else the last of few numbers."""
    few = [profile for profile in left if _may_label(profile) and not profile.looks_dated]
    words = [profile for profile in few if not profile.looks_numeric]
    numbers = [profile for profile in few if profile.match(_INTEGER)]
    for profile in (words or numbers)[-1:]:
        yield profile, "label", f"{profile.distinct} different values"


def _text(left: list[Profile]) -> Iterator[tuple[Profile, str, str]]:
    """The longest column of several words."""
    wordy = [
        profile
        for profile in left
        if profile.is_text and profile.mean_words >= TEXT_WORDS and not profile.looks_dated
    ]
    for profile in sorted(wordy, key=lambda profile: -profile.mean_words)[:1]:
        yield profile, "text", f"{profile.mean_words:.0f} words on average"


def _table(left: list[Profile]) -> Iterator[tuple[Profile, str, str]]:
    for profile in left:
        if profile.is_numeric:
            yield profile, "tabular", "numbers"
        elif profile.is_date:
            yield profile, "tabular", "dates"
        elif profile.is_text and _may_label(profile):
            foreign = _foreign(profile)
            reason = f"{profile.distinct} different values"
            yield profile, "tabular", f"{reason}, {foreign}" if foreign else reason


def _foreign(profile: Profile) -> str:
    """What people read as numbers or dates and the features do not; empty for all else."""
    if profile.looks_dated and not profile.is_date:
        return "dates not written like 2024-12-31"
    if profile.looks_numeric and not profile.is_numeric:
        return "numbers not written like 3.14"
    return ""


def _left_out(profile: Profile) -> str:
    if not profile.filled:
        return "empty"
    if not profile.is_text:
        return "neither text nor media"
    if profile.medium:
        return f"another {profile.medium}"
    if profile.distinct == 1:
        return "the same in every row"
    if profile.mean_words >= TEXT_WORDS:
        return "another text"
    return _foreign(profile) or "neither text nor categories"
