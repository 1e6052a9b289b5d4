"""One event of a person with an item: read, or refused with a reason."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fuseline.data.sources.base import brief
from fuseline.params.ingest import EventColumnParams

# Reason code, and what it tells the user.
EVENT_REASONS: dict[str, str] = {
    "malformed_row": "the row cannot be read as the file's format demands",
    "no_user": "the row names nobody",
    "unknown_item": "no row that was kept has the item's id",
    "bad_time": "the time is no date, and no number of seconds since 1970, before 2100",
    "bad_value": "the value is no number of 0 or above",
    "duplicate_event": "an earlier row has the same person, item and time",
}
# Later than any date in seconds, and earlier than any of these decades in milliseconds.
MILLISECONDS_FROM = 10**11
# 1 January 2100. Microseconds, read as milliseconds, lie far behind it.
TIMES_END = 4_102_444_800
# Of float32, as the table has values.
LARGEST_VALUE = 3.4028234663852886e38


@dataclass(frozen=True)
class Event:
    """What a row says, as the table `interactions` has it."""

    user: str
    item: str
    time: int
    value: float | None
    kind: str | None


class EventRefusal(Exception):
    """An event cannot be kept.

    Args:
        reason: a key of `EVENT_REASONS`.
        detail: a sentence about this very row.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_event(
    record: Mapping[str, Any], columns: EventColumnParams, items: Collection[str]
) -> Event:
    """An event of a record's cells.

    Raises:
        EventRefusal: it cannot be kept.
    """
    user = _text(record.get(columns.user))
    if not user:
        raise EventRefusal("no_user", f"Column {columns.user!r} is empty.")
    item = _text(record.get(columns.item))
    if item not in items:
        raise EventRefusal("unknown_item", f"No kept row has the id {brief(item)!r}.")
    kind = _text(record.get(columns.kind)) if columns.kind else ""
    value = _value(record.get(columns.value)) if columns.value else None
    return Event(user, item, seconds(record.get(columns.time)), value, kind or None)


def seconds(cell: Any) -> int:
    """Seconds since 1970, UTC, of a cell that holds them, milliseconds, or a date as ISO 8601 has
    it; without a zone it is taken as UTC. Eight digits are a date where they can be one, 20130814:
    read as seconds they all lie in August 1970.

    Raises:
        EventRefusal: none of these.
    """
    if isinstance(cell, datetime):
        return _within(cell, cell)
    text = _text(cell)
    date = _date(text)
    try:
        number = float(text)
    except ValueError:
        if date is None:
            raise _bad_time(cell) from None
        return _within(date, cell)
    if date and len(text) == len("20130814"):
        return _within(date, cell)
    time = number / 1000 if number >= MILLISECONDS_FROM else number
    if not 0 <= time < TIMES_END:
        raise _bad_time(cell)
    return int(time)


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _within(date: datetime, cell: Any) -> int:
    time = int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    if not 0 <= time < TIMES_END:
        raise _bad_time(cell)
    return time


def _bad_time(cell: Any) -> EventRefusal:
    return EventRefusal(
        "bad_time",
        f"{brief(_text(cell))!r} is neither seconds since 1970 nor a date such as 2013-08-14,"
        " before 2100.",
    )


def _value(cell: Any) -> float | None:
    text = _text(cell)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= LARGEST_VALUE:
        raise EventRefusal("bad_value", f"{brief(text)!r} is no number of 0 or above.")
    return number


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()
