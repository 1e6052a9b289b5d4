"""Templates, and their slots filled from a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import regex

from fuseline.serving.chat.config import SLOT

# A pattern that takes longer to look at a message finds nothing in it: of some patterns and
# messages the time doubles with each character.
MOST_SECONDS = 0.25


class Slots:
    """Finds what fills slots.

    Args:
        patterns: by name of the slot; case does not count.
    """

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._patterns = {
            name: regex.compile(pattern, regex.IGNORECASE) for name, pattern in patterns.items()
        }

    def found(self, message: str) -> dict[str, str]:
        """Values by name; of each the first in the message."""
        values = {}
        for name, pattern in self._patterns.items():
            try:
                match = pattern.search(message, timeout=MOST_SECONDS, concurrent=True)
            except TimeoutError:
                continue
            value = match and match[1 if pattern.groups else 0]
            if value:
                values[name] = value.strip()
        return values


def filled(templates: Sequence[str], values: Mapping[str, str]) -> str:
    """The first template whose slots all have values, with them; the last one has none."""
    for template in templates:
        if all(name in values for name in SLOT.findall(template)):
            return SLOT.sub(lambda slot: values[slot[1]], template)
    raise AssertionError("the last template has no slots")
