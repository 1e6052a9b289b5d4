"""A line of JSON to a row with a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fuseline.serving.monitor.settings import FieldNames

# Years 2 to 9998, in seconds since 1970: windows around them have years of four digits, too.
_EARLIEST, _LATEST = -62_104_060_800, 253_370_764_800
# Bytes of a line at most.
MAX_LINE_BYTES = 2**18
# Characters of an id that are kept.
_ID_CHARACTERS = 200


@dataclass(slots=True)
class Event:
    """A row.

    Attributes:
        time: seconds since 1970.
        id: None where the line has none.
        text: None where the line has none.
        label: the mood; None before the model answered, and where it refused to.
        topic: None where neither the line nor the model says one.
        in_scope: None where nobody says it.
        strange: whether its words fall to pieces; None where that was not looked at.
    """

    time: float
    id: str | None
    text: str | None
    label: str | None
    topic: str | None
    in_scope: bool | None = None
    strange: bool | None = None


def parse(line: bytes, fields: FieldNames) -> Event | str:
    """The row of a line, or why there is none."""
    if len(line) > MAX_LINE_BYTES:
        return f"longer than {MAX_LINE_BYTES} bytes"
    try:
        # Editors put a mark in front of the first line.
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(found, dict):
        return "no JSON object"
    time = _time(found.get(fields.time))
    if time is None:
        return f"no time in {fields.time}"
    text, label = _text(found.get(fields.text)), _text(found.get(fields.label))
    if text is None and label is None:
        return f"neither {fields.text} nor {fields.label}"
    known, in_scope = found.get(fields.id), found.get(fields.in_scope)
    return Event(
        time,
        None if known is None else _writable(str(known))[:_ID_CHARACTERS],
        text,
        label,
        _text(found.get(fields.topic)),
        in_scope if isinstance(in_scope, bool) else None,
    )


def _text(value: Any) -> str | None:
    return _writable(value) if isinstance(value, str) and value.strip() else None


def _writable(text: str) -> str:
    """The text with `?` for halves of characters, which JSON can name and no file can hold."""
    return text.encode(errors="replace").decode()


def _time(value: Any) -> float | None:
    """Seconds since 1970 of a number of them, or of ISO 8601; without a zone it is UTC."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if _EARLIEST <= value < _LATEST else None


def told_time(seconds: float) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
