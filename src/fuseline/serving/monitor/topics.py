"""The topic of a row: what it or the model says, else by words.

By words and not by nearness to vectors of the topics' names: the vectors of a model that learnt
moods tell moods apart, and no other model is here. A word is found in any text and explains itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fuseline.serving.monitor.events import Event
from fuseline.serving.monitor.settings import OTHER

_WORD = re.compile(r"\w+")
# Words whose topic is remembered; texts have few that are not among so many.
_REMEMBERED = 200_000


class Topics:
    """Finds topics.

    Args:
        words: by topic; one or several in a row, whatever their case and the signs around them, and
            with a `*` at the end how a word begins.
    """

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self._names = [*words, OTHER]
        self._known = frozenset(words)
        given = [
            (number, " ".join(_WORD.findall(word.casefold())), word.endswith("*"))
            for number, some in enumerate(words.values())
            for word in some
        ]
        self._phrases = [
            (number, f" {word}{'' if begins else ' '}")
            for number, word, begins in given
            if " " in word
        ]
        self._numbers = _Numbers([one for one in given if " " not in one[1]], len(words))

    def __call__(self, event: Event) -> str:
        """The first of the names that fits, or `OTHER`."""
        if event.topic is not None:
            return event.topic if event.topic in self._known else OTHER
        if event.text is None:
            return OTHER
        words = _WORD.findall(event.text.casefold())
        found = min(map(self._numbers.__getitem__, words), default=len(self._known))
        if self._phrases:
            spaced = f" {' '.join(words)} "
            found = min([found, *(number for number, some in self._phrases if some in spaced)])
        return self._names[found]


class _Numbers(dict[str, int]):
    """Numbers of the first topic that has a word, by word, as they are asked for.

    Args:
        known: number of a topic, a word of it, and whether that is how words begin.
        none: number of words of no topic.
    """

    def __init__(self, known: Sequence[tuple[int, str, bool]], none: int) -> None:
        super().__init__()
        self._known, self._none = known, none

    def __missing__(self, word: str) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        fitting = (
            number
            for number, known, begins in self._known
            if word == known or (begins and word.startswith(known))
        )
        number = self[word] = min(fitting, default=self._none)
        return number
