"""What passes neither in nor out: harmful words, and personal data of people."""

from __future__ import annotations

from collections.abc import Sequence

from fuseline.data.ingest.safety.harmful import SCREENS
from fuseline.data.ingest.safety.personal import find_personal_data, mask
from fuseline.serving.chat.config import SafetyParams


class ChatScreen:
    """Screens messages and answers.

    Args:
        params: which screen, and what may be shown.
    """

    def __init__(self, params: SafetyParams) -> None:
        self._harmful = SCREENS[params.harmful]()
        self._shown: Sequence[str] = params.shown

    def is_harmful(self, text: str) -> bool:
        """Whether the screen judges so."""
        return self._harmful.is_harmful(text)

    def masked(self, text: str) -> str:
        """A text with personal data masked: what is remembered and told of a message."""
        return mask(text, find_personal_data(text))

    def published(self, text: str) -> str:
        """A text of the service with personal data masked, but for its own contacts."""
        spans = [(start, start + len(one)) for one in self._shown for start in _places(text, one)]
        finds = [
            find
            for find in find_personal_data(text)
            if not any(start <= find.start and find.end <= end for start, end in spans)
        ]
        return mask(text, finds)


def _places(text: str, part: str) -> list[int]:
    found, start = [], text.find(part)
    while start >= 0:
        found.append(start)
        start = text.find(part, start + 1)
    return found
