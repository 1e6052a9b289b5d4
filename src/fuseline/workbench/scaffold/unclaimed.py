"""Columns that no rule of `columns.py` takes: why, and what would use them."""

from __future__ import annotations

from fuseline.workbench.scaffold.guess import Verdict, use
from fuseline.workbench.scaffold.names import FIELD_OF, plain
from fuseline.workbench.scaffold.profile import Profile

USELESS = "nothing: it tells no rows apart"
# Of fewer words on average, a column is no text.
TEXT_WORDS = 3.0


def foreign_spelling(profile: Profile) -> str:
    """What people read as numbers or dates and the features do not; empty for all else."""
    if profile.looks_dated and not profile.is_date:
        return "dates not written like 2024-12-31"
    if profile.looks_numeric and not profile.is_numeric:
        return "numbers not written like 3.14"
    return ""


def unclaimed(profile: Profile) -> Verdict:
    """Why no rule took a column, and what would use it."""
    return Verdict(profile, None, *_why(profile))


def _why(profile: Profile) -> tuple[str, str]:
    """The reason, and what would use the column."""
    reasons = (
        (not profile.filled, "empty", "nothing: no row has a value"),
        (
            bool(profile.medium),
            f"another {profile.medium}",
            f"{use(profile, profile.medium or '')} takes this one instead, or give it rows of its"
            " own with the other's group",
        ),
        (not profile.is_text, "neither text nor media", "text or a path would be read"),
        (profile.distinct == 1, "the same in every row", USELESS),
        (
            FIELD_OF.get(plain(profile.name)) == "label" and profile.mean_words < TEXT_WORDS,
            f"called like a label, but {profile.distinct} different values hardly recur in"
            f" {len(profile.texts)} rows",
            f"{use(profile, 'label')} learns it, given some rows of each",
        ),
        (
            profile.mean_words >= TEXT_WORDS,
            "another text",
            f"{use(profile, 'text')} reads it; say so of each text then",
        ),
        (
            bool(foreign_spelling(profile)),
            foreign_spelling(profile),
            "written so, it would be an input",
        ),
    )
    otherwise = (
        f"neither text nor categories: {profile.distinct} different values",
        f"{use(profile, 'text')} reads it as text, {use(profile, 'group')} keeps its rows together",
    )
    return next(((why, instead) for holds, why, instead in reasons if holds), otherwise)
