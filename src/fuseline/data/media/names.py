"""Telling a medium by the ending of a name."""

from __future__ import annotations

from fuseline.data.media.formats import UNREAD, endings_of_medium
from fuseline.params.base import MEDIA

READ_ENDINGS = {medium: endings_of_medium(medium) for medium in MEDIA}
# Media that people have and that ingest refuses: they must be converted.
CONVERTED_ENDINGS = frozenset(ending for endings in UNREAD.values() for ending in endings)

# Names of other things end so too: programs, addresses.
AMBIGUOUS_ENDINGS = frozenset({"au", "ts", "ra", "rm", "mid", "qt", "snd"})

MEDIUM_OF = {
    ending: medium for medium, read in READ_ENDINGS.items() for ending in (*read, *UNREAD[medium])
}


def medium_of_name(name: str) -> str | None:
    """`image`, `audio` or `video` by the ending of a path, else None."""
    return MEDIUM_OF.get(ending_of(name))


def ending_of(name: str) -> str:
    """What follows the last dot, in lower case; empty where there is none."""
    return name.rpartition(".")[2].lower() if "." in name else ""
