"""Spans of a text and what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
import pyarrow as pa

from fuseline.data.modalities.text.words import WORD, first_tokens
from fuseline.serving.answers.base import Answer, Answered, Columns

OUTSIDE = "O"
_SPAN = pa.struct(
    [
        ("type", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("text", pa.string()),
    ]
)


@dataclass(frozen=True)
class Span:
    """An entity: its type, and where it stands in the text, in characters."""

    type: str
    start: int
    end: int


class EntityAnswer(Answer):
    """`entities`, each with `type`, `start`, `end` and `text`: characters of the text as it was
    given, though the model read it as `ingest` cleans it."""

    @property
    def fields(self) -> list[pa.Field]:
        return [pa.field("entities", pa.list_(_SPAN))]

    def columns(self, rows: Answered) -> Columns:
        return {"entities": [self._row(rows, row) for row in range(len(rows))]}

    def _row(self, rows: Answered, row: int) -> list[dict[str, object]]:
        text, given = rows.records[row]["text"] or "", rows.given[row] or ""
        tags = self._tags(text, rows.outputs[self.task.output][row], rows.offsets[row])
        found = []
        for span in spans(text, tags):
            start, end = moved(text, given, span.start), moved(text, given, span.end)
            found.append({"type": span.type, "start": start, "end": end, "text": given[start:end]})
        return found

    def _tags(
        self, text: str, logits: np.ndarray, offsets: Sequence[tuple[int, int]]
    ) -> dict[int, str]:
        """By word its tag: that of its first token."""
        words = first_tokens(text, offsets)
        best = logits.argmax(-1)
        return {
            word: self.labels[best[place]] for place, word in enumerate(words) if word is not None
        }


def spans(text: str, tags: dict[int, str]) -> Iterator[Span]:
    """Entities of a text whose words have tags such as `B-person`, `I-person` and `O`; an inside
    without a beginning, or of another type than what stands before it, begins one."""
    start, end, kind = 0, 0, ""
    for number, word in enumerate(WORD.finditer(text)):
        scheme, _, name = tags.get(number, OUTSIDE).partition("-")
        if kind and (scheme != "I" or name != kind):
            yield Span(kind, start, end)
            kind = ""
        if scheme == OUTSIDE:
            continue
        if not kind:
            start, kind = word.start(), name or scheme
        end = word.end()
    if kind:
        yield Span(kind, start, end)


def moved(clean: str, given: str, place: int) -> int:
    """The place in a given text that a place in its cleaned form came from."""
    if clean == given:
        return place
    matcher = SequenceMatcher(None, clean, given, autojunk=False)
    for operation, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        if a_start <= place < a_end or (place == a_end and operation == "equal"):
            return b_start + (place - a_start) if operation == "equal" else min(b_end, b_start)
    return len(given)
