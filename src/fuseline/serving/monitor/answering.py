"""The model's part: moods and topics of rows that come without, and a look at their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError
from fuseline.serving.cleaning import Refused
from fuseline.serving.monitor.events import Event
from fuseline.serving.monitor.settings import MonitorSettings
from fuseline.serving.monitor.words import Pieces
from fuseline.serving.predict import BLOCK_ROWS
from fuseline.serving.predictor import Options, Predictor
from fuseline.serving.rows import raw_row

# Why a row without a mood is refused where nobody answers.
UNANSWERED = "no label, and no model was asked"


class Answering:
    """An exported model that answers rows.

    Args:
        folder: of the export.
        settings: which labels count as negative, what the topic is called.
        int8: answer with 8-bit integers.
        threads: to compute on.

    Raises:
        ConfigError: no export is there, its first task is no classification, or it knows none of
            the negative labels.
    """

    def __init__(
        self, folder: Path, settings: MonitorSettings, *, int8: bool, threads: int
    ) -> None:
        self._predictor = Predictor(folder, Options("int8" if int8 else "onnx", threads))
        contract = self._predictor.contract
        labels = contract.tasks[0].facts.get("labels", [])
        if contract.tasks[0].kind != "classification" or not set(settings.negative) & {*labels}:
            raise ConfigError(
                f"{folder}: expected a model whose first task tells one of"
                f" {', '.join(settings.negative)}, found {contract.tasks[0].kind} of"
                f" {', '.join(labels) or 'no labels'}. Set `negative` of the settings to those of"
                " its labels that count."
            )
        self._topic = _topic_column(self._predictor, settings.fields.topic)
        self._pieces = Pieces(folder, settings.short_pieces_share) if contract.text else None
        self.identity = f"{contract.origin.weights} {self._predictor.options.format}"

    def __call__(self, events: Sequence[Event]) -> list[Event | str]:
        """Rows with all that the model says of them, or the code for which it refused one. A mood
        that came with a row stays."""
        found: list[Event | str] = []
        for start in range(0, len(events), BLOCK_ROWS):
            found += self._answered(events[start : start + BLOCK_ROWS])
        return found

    def _answered(self, events: Sequence[Event]) -> list[Event | str]:
        asked = [
            self._predictor.clean(raw_row(place, text=[event.text or ""], media={}))
            if event.label is None
            else None
            for place, event in enumerate(events)
        ]
        kept = [one for one in asked if one is not None and not isinstance(one, Refused)]
        answers = iter(self._predictor.answer(kept).to_pylist() if kept else [])
        found = [
            event
            if row is None
            else row.reason
            if isinstance(row, Refused)
            else self._told(event, row.record["text"], next(answers))
            for event, row in zip(events, asked, strict=True)
        ]
        return self._looked_at(found)

    def _told(self, event: Event, text: str, answer: dict[str, Any]) -> Event:
        topic = event.topic or (answer[self._topic] if self._topic else None)
        told = replace(event, text=text, label=answer["label"], topic=topic)
        told.in_scope = answer["in_scope"]
        return told

    def _looked_at(self, found: list[Event | str]) -> list[Event | str]:
        """The rows, with whether their words fall to pieces."""
        texts = [one for one in found if isinstance(one, Event) and one.text is not None]
        if self._pieces and texts:
            strange = self._pieces([one.text or "" for one in texts])
            for event, is_so in zip(texts, strange, strict=True):
                event.strange = is_so
        return found


class Given:
    """In place of a model, where all rows come with their moods."""

    identity = "none"

    def __call__(self, events: Sequence[Event]) -> list[Event | str]:
        """The rows that have a mood."""
        return [UNANSWERED if event.label is None else event for event in events]


def _topic_column(predictor: Predictor, name: str) -> str | None:
    """The column of answers that tells the topic; None where no further task does."""
    tasks = predictor.contract.tasks
    for place in range(1, len(tasks)):
        if tasks[place].name == name and tasks[place].kind == "classification":
            return f"{predictor.contract.prefix(place)}label"
    return None
