"""Texts that are written, and whether they refuse."""

from __future__ import annotations

import pyarrow as pa

from fuseline.learning.phrases import refusal_of
from fuseline.serving.answers.base import Answer, Answered, Columns


class TextAnswer(Answer):
    """`text`; where classes of refusals were learnt also `refused`, and the class as `refusal`,
    null for an answer."""

    @property
    def fields(self) -> list[pa.Field]:
        found = [pa.field("text", pa.string())]
        if self._phrases is not None:
            found += [pa.field("refused", pa.bool_()), pa.field("refusal", pa.string())]
        return found

    def columns(self, rows: Answered) -> Columns:
        texts = list(rows.texts[self.task.output])
        found: Columns = {"text": texts}
        if self._phrases is not None:
            kinds = [refusal_of(text, self._phrases) for text in texts]
            found |= {"refused": [kind is not None for kind in kinds], "refusal": kinds}
        return found

    @property
    def _phrases(self) -> dict[str, list[list[str]]] | None:
        """Of each class of refusals, as words; None where none was learnt."""
        learnt = self.task.facts.get("controls", {}).get("refusal")
        return learnt and dict(learnt["phrases"])
