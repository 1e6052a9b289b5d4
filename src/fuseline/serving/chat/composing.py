"""An answer of passages of the knowledge: quoted, never written."""

from __future__ import annotations

from collections.abc import Sequence

from fuseline.serving.chat.ranking import Words
from fuseline.serving.chat.retrieval import Found
from fuseline.serving.chat.wording import sentences, words

PARTED = "\n\n"


def composed(
    found: Sequence[Found], message: str, known: Words, most_characters: int
) -> tuple[str, list[Found]]:
    """The answer, and the entries that it quotes, in the order of its paragraphs.

    The best entry is quoted first; another one only where it is at least half as evident, has a
    telling word of the message that those before it lack, and where there is room.

    Args:
        found: entries that answer, the best first; at least one.
        message: that they answer.
        known: words of the knowledge.
        most_characters: of the answer.
    """
    asked = known.telling(message)
    used = [found[0]]
    text = quoted(found[0].entry.answer, asked, most_characters)
    covered = _words_of(found[0])
    for one in found[1:]:
        own = _words_of(one)
        room = most_characters - len(text) - len(PARTED)
        evident = 2 * one.evidence >= found[0].evidence
        if evident and (asked & own) - covered and len(one.entry.answer) <= room:
            text += PARTED + one.entry.answer
            covered |= own
            used.append(one)
    return text, used


def quoted(answer: str, asked: set[str], most_characters: int) -> str:
    """An answer whole, or of a longer one the sentences with most of the asked words, in their
    order; left out ones are marked by an ellipsis."""
    if len(answer) <= most_characters:
        return answer
    parts = sentences(answer)
    shared = [len(asked & set(words(part))) for part in parts]
    kept: set[int] = set()
    left = most_characters
    for place in sorted(range(len(parts)), key=lambda place: (-shared[place], place)):
        cost = len(parts[place]) + 3
        if cost <= left:
            kept.add(place)
            left -= cost
    if not kept:
        return f"{answer[: most_characters - 2].rstrip()} …"
    return _joined(parts, kept)


def _joined(parts: Sequence[str], kept: set[int]) -> str:
    text, last = "", -1
    for place in sorted(kept):
        gap = " … " if place > last + 1 else " "
        text += f"{gap}{parts[place]}"
        last = place
    return text.strip() + (" …" if last < len(parts) - 1 else "")


def _words_of(found: Found) -> set[str]:
    return set(words(f"{found.entry.question}\n{found.entry.answer}"))
