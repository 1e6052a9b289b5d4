"""Rules that find the column whose rows must share a split."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fuseline.workbench.scaffold.guess import BY_NAME, MOST_LABELS, Verdict, use
from fuseline.workbench.scaffold.names import is_identifier, is_owner, is_sure_owner
from fuseline.workbench.scaffold.profile import Profile
from fuseline.workbench.scaffold.unclaimed import TEXT_WORDS

# No group may hold more of the rows, or a split could not be made of groups.
LARGEST_GROUP = 0.5
FEWEST_GROUPS = 3
# Where the name says little, one group in so many rows at least.
ROWS_OF_A_GROUP = 50
# So few values may be categories, whatever the column is called.
MOST_CODES = 20
_CODE = re.compile(r"(?=\S*\d)[A-Za-z0-9]+([-_.:/#][A-Za-z0-9]+)*")


def _may_group(profile: Profile) -> bool:
    """Whether values recur, and none of them so often that its rows would fill the splits."""
    recur = profile.is_text and FEWEST_GROUPS <= profile.distinct < len(profile.texts)
    return recur and profile.largest_share <= LARGEST_GROUP


def groups_by_name(left: list[Profile]) -> Iterator[Verdict]:
    """Columns called after whoever has several rows; the surest name first."""
    for profile in sorted(left, key=lambda profile: not is_sure_owner(profile.name)):
        many = ROWS_OF_A_GROUP * profile.distinct >= len(profile.texts)
        fits = is_sure_owner(profile.name) or (
            is_owner(profile.name) and many and not profile.is_nearly_unique
        )
        if fits and _may_group(profile) and profile.mean_words < TEXT_WORDS:
            yield Verdict(profile, "group", BY_NAME)


def groups_of_codes(left: list[Profile]) -> Iterator[Verdict]:
    """Codes that recur and are too many for categories."""
    for profile in left:
        is_code = profile.match(_CODE) and not profile.looks_numeric and not profile.looks_dated
        is_coded = is_identifier(profile.name) or (is_code and profile.distinct > MOST_LABELS)
        many = ROWS_OF_A_GROUP * profile.distinct >= len(profile.texts)
        if is_coded and many and _may_group(profile) and not profile.is_nearly_unique:
            yield Verdict(profile, "group", f"{profile.distinct} codes that recur")


def owners(left: list[Profile]) -> Iterator[Verdict]:
    """Those who have several rows and are no group all the same: no categories either."""
    for profile in left:
        is_owned = is_sure_owner(profile.name) or (
            is_owner(profile.name) and is_identifier(profile.name)
        )
        if is_owned and profile.is_text and profile.distinct > MOST_CODES:
            yield Verdict(profile, None, *_no_group(profile))


def _no_group(profile: Profile) -> tuple[str, str]:
    """Why whoever has several rows is left out, and what would use the column."""
    together = f"{use(profile, 'group')} keeps its rows together"
    if profile.largest_share > LARGEST_GROUP:
        return (
            f"one value stands in {profile.largest_share:.0%} of the rows, too large a group",
            f"{together}, once ingest.max_group_share is 1.0",
        )
    return "tells whose a row is", together
