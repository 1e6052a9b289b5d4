"""Guessing what each column is for, by its name and then by its values, and saying why.

A guess is shown before anything is written, so each rule is plain rather than clever. What is left
out is said too, with what would use it: `left_out.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from fuseline.data.media.names import AMBIGUOUS_ENDINGS, ending_of
from fuseline.params.base import MEDIA, MODALITIES
from fuseline.workbench.scaffold.cells_of_several import separator_of
from fuseline.workbench.scaffold.groups import groups_by_name, groups_of_codes, owners
from fuseline.workbench.scaffold.guess import (
    BY_NAME,
    TARGET,
    Field,
    Guess,
    Rule,
    Verdict,
    use,
)
from fuseline.workbench.scaffold.learnt import (
    answers,
    is_wordy,
    labels,
    may_label,
    number_targets,
)
from fuseline.workbench.scaffold.left_out import (
    CATEGORIES,
    counters,
    indexes,
    packed,
    splits,
    times,
)
from fuseline.workbench.scaffold.names import FIELD_OF, plain
from fuseline.workbench.scaffold.profile import Profile
from fuseline.workbench.scaffold.tagged_words import tagged
from fuseline.workbench.scaffold.unclaimed import foreign_spelling, unclaimed

# Rows of a file that are looked at.
FIRST_ROWS = 1000
TOLD = "as you say"
NUMBERS, DATES = "numbers", "dates"

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
_INTEGER = re.compile(r"\d+(\.0)?", re.ASCII)


def guess_columns(
    profiles: Sequence[Profile], root: Path | None, told: Mapping[str, Field] | None = None
) -> list[Guess]:
    """Guess every column, in their order; a field of one column is given once.

    Args:
        profiles: the columns.
        root: the folder that paths to media are relative to.
        told: fields that somebody gave columns; None for a column to leave out.
    """
    said = told or {}
    taken = {
        profile.name: Verdict(profile, said[profile.name], _as_told(profile, said[profile.name]))
        for profile in profiles
        if profile.name in said
    }
    used = {use for verdict in taken.values() for use in _uses(verdict)}
    # Who names a text or a picture has chosen.
    closed = {verdict.field for verdict in taken.values() if verdict.field in ("text", "image")}

    files = {profile.name for profile in profiles if profile.medium and _is_meant(profile, root)}

    def media(left: list[Profile]) -> Iterator[Verdict]:
        for profile in _alone([profile for profile in left if profile.name in files]):
            yield Verdict(profile, profile.medium, _media_reason(profile, root))

    def targets(left: list[Profile]) -> Iterator[Verdict]:
        if not used & {"label", "target"}:
            yield from answers(left, has_text="text" in used)
        if not used & {"label", "target"}:
            yield from number_targets(left, has_media=bool(used & set(MEDIA)))

    rules: tuple[Rule, ...] = (
        splits,
        indexes,
        _by_name,
        times,
        groups_by_name,
        _terms,
        _identifier,
        groups_of_codes,
        counters,
        owners,
        labels,
        targets,
        _text,
        _table,
    )
    for rule in (tagged, packed, media, *rules):
        left = [profile for profile in profiles if profile.name not in taken and profile.filled]
        if rule in rules:
            left = [profile for profile in left if profile.name not in files]
        for verdict in rule(left):
            if verdict.field in closed or (verdict.is_exclusive and verdict.field in used):
                continue
            # A second thing to learn beside the label is the user's to ask for.
            if rule is labels and "target" in used:
                continue
            taken[verdict.profile.name] = verdict
            used |= _uses(verdict)
        if rule is tagged and "target" in used:
            # Tags name the words of one text.
            closed.add("text")
    if "label" in used:
        taken |= _beside_a_label(taken, said)
    if not used & set(MODALITIES):
        taken |= _only_text(profiles, taken)
    return [_guess(profile, taken.get(profile.name)) for profile in profiles]


def _is_target(verdict: Verdict) -> bool:
    return verdict.field is not None and verdict.field.startswith(TARGET)


def _uses(verdict: Verdict) -> set[str]:
    """What is taken by a column; of a table, there may be any number."""
    if _is_target(verdict):
        return {"target"}
    return {verdict.field} if verdict.field and verdict.field != "tabular" else set()


def _alone(files: list[Profile]) -> list[Profile]:
    """The columns of media but for further pictures, where a cell of one lists several."""
    pictures = [profile for profile in files if profile.medium == "image"]
    if all(profile.most_entries <= 1 for profile in pictures):
        return files
    return [profile for profile in files if profile not in pictures[1:]]


def _beside_a_label(taken: Mapping[str, Verdict], said: Mapping[str, Field]) -> dict[str, Verdict]:
    """Targets that nobody asked for, left out: one thing is learnt unless somebody says more."""
    return {
        name: Verdict(
            verdict.profile, None, verdict.reason, f"{use(verdict.profile, verdict.field)} keeps it"
        )
        for name, verdict in taken.items()
        if verdict.field and _is_target(verdict) and name not in said
    }


def _guess(profile: Profile, verdict: Verdict | None) -> Guess:
    if verdict is None:
        verdict = unclaimed(profile)
    return Guess(
        profile.name,
        verdict.field,
        verdict.reason,
        profile.samples,
        verdict.instead,
        separator_of(profile) or "" if verdict.field == CATEGORIES else "",
        profile.most_entries if verdict.field == "image" else 0,
    )


def _only_text(profiles: Sequence[Profile], taken: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """Something to learn from where no rule found it: short texts, rather than nothing."""
    if any(verdict.field == "tabular" for verdict in taken.values()):
        return {}
    for profile in profiles:
        verdict = taken.get(profile.name)
        is_free = verdict is None or (verdict.field == "id" and verdict.reason != BY_NAME)
        if is_free and profile.is_text and not profile.looks_numeric and not profile.medium:
            return {profile.name: Verdict(profile, "text", "the only text there is")}
    return {}


def _is_meant(profile: Profile, root: Path | None) -> bool:
    """Whether names of files are meant: `.ts` and `.au` end others too, which are not there."""
    paths, there = profile.paths_there(root)
    clear = [path for path in profile.paths if ending_of(path) not in AMBIGUOUS_ENDINGS]
    return not paths or bool(clear) or there > 0


def _media_reason(profile: Profile, root: Path | None) -> str:
    paths, there = profile.paths_there(root)
    if not paths:
        return f"holds {profile.medium} files"
    return f"paths to {profile.medium} files, {there} of {paths} found"


def _by_name(left: list[Profile]) -> Iterator[Verdict]:
    """Columns named like a field, where the values do not speak against it."""
    for profile in left:
        field = FIELD_OF.get(plain(profile.name))
        if field and _may_be(field, profile):
            yield Verdict(profile, field, _odd_ids(profile) if field == "id" else BY_NAME)


def _odd_ids(profile: Profile) -> str:
    """Why a column of ids is one; rows of which it names none, or none alone, are quarantined."""
    odd = len(profile.cells) - profile.distinct
    return f"{BY_NAME}; {odd} empty or there before, refused by ingest" if odd else BY_NAME


def _may_be(field: str, profile: Profile) -> bool:
    if not profile.is_text:
        return False
    if field == "id":
        return profile.is_nearly_unique
    if field == "label":
        return may_label(profile) or _is_sorted_by(profile)
    if field == "text":
        is_constant = profile.distinct == 1 and len(profile.cells) > 1
        return not (profile.looks_numeric or profile.looks_dated or is_constant)
    return True


def _is_sorted_by(profile: Profile) -> bool:
    """Whether the first rows may be those of the first label, of rows that are sorted by it."""
    return profile.distinct == 1 and len(profile.cells) >= FIRST_ROWS


def _terms(left: list[Profile]) -> Iterator[Verdict]:
    """Languages, licences and addresses, which their values tell."""
    for profile in left:
        if profile.repeats and profile.match(_LANGUAGE):
            yield Verdict(profile, "lang", "language codes")
        elif profile.match(_LICENSE):
            yield Verdict(profile, "license", "names of licences")
        elif profile.match(_ADDRESS):
            yield Verdict(profile, "provenance", "web addresses")


def _identifier(left: list[Profile]) -> Iterator[Verdict]:
    """One word a row, never twice; numbers only where they count up."""
    for profile in left:
        if profile.is_unique and profile.match(_TOKEN) and not profile.looks_dated:
            if profile.match(_INTEGER):
                if any(after - before != 1 for before, after in pairwise(profile.integers)):
                    continue
            elif profile.looks_numeric:
                continue
            yield Verdict(profile, "id", "another value in every row")


def _text(left: list[Profile]) -> Iterator[Verdict]:
    """Columns of several words that are no categories."""
    for profile in left:
        if is_wordy(profile) and profile.distinct > 1 and not may_label(profile):
            yield Verdict(profile, "text", f"{profile.mean_words:.0f} words on average")


def _table(left: list[Profile]) -> Iterator[Verdict]:
    for profile in left:
        if profile.is_numeric or profile.is_date or (profile.is_text and may_label(profile)):
            yield Verdict(profile, "tabular", _cells(profile))


def _cells(profile: Profile) -> str:
    """What the cells of a table's column are to the features."""
    if profile.is_numeric:
        return NUMBERS
    if profile.is_date:
        return DATES
    foreign = foreign_spelling(profile)
    reason = f"{profile.distinct} different values"
    return f"{reason}, {foreign}" if foreign else reason


def _as_told(profile: Profile, field: Field) -> str:
    return f"{TOLD}; {_cells(profile)}" if field == "tabular" else TOLD
