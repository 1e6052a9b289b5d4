"""A history as somebody gives it: ids of items, with times or without."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError
from fuseline.serving.recommending.catalogue import History, Items

FORM = 'Write a list of ids, the oldest first, or of {"item": ID, "time": ISO 8601 or seconds}.'


@dataclass(frozen=True)
class Event:
    """What somebody says of one event.

    Attributes:
        item: its id.
        time: seconds since 1970; None: now, as far as the export knows.
    """

    item: str
    time: int | None = None


def read_events(path: Path) -> list[Event]:
    """The events of a JSON file.

    Raises:
        ConfigError: it is not there, or no such history.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: not found. {FORM}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as JSON ({error}). {FORM}") from None
    if not isinstance(content, list):
        raise ConfigError(f"{path}: expected a list, found {type(content).__name__}. {FORM}")
    return [_event(f"{path}: event {place}", one) for place, one in enumerate(content)]


def _event(where: str, given: Any) -> Event:
    if isinstance(given, str):
        return Event(given)
    if not isinstance(given, dict) or not isinstance(given.get("item"), str):
        raise ConfigError(f"{where}: expected an id, or an object with 'item'. {FORM}")
    for name in given:
        if name not in ("item", "time"):
            raise ConfigError(f"{where}: expected 'item' and 'time', found '{name}'. {FORM}")
    return Event(given["item"], seconds_of(given.get("time"), where))


def seconds_of(given: str | float | None, where: str) -> int | None:
    """A time as seconds since 1970; ISO 8601 without a zone is UTC.

    Raises:
        ConfigError: it is none, or one that no calendar has.
    """
    try:
        if given is None:
            return None
        if isinstance(given, bool):
            raise ValueError
        if isinstance(given, str):
            told = datetime.fromisoformat(given)
            return int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp())
        return int(datetime.fromtimestamp(given, UTC).timestamp())
    except (OSError, OverflowError, TypeError, ValueError):
        raise ConfigError(
            f"{where}: time: expected ISO 8601 or seconds since 1970, found '{given}'. Write it as"
            " 2024-05-01T12:00:00Z, or leave it out."
        ) from None


def history_of(
    events: Iterable[Event], items: Items, as_of: int, where: str
) -> tuple[History, Sequence[str]]:
    """A history, and the ids in it that are of no item, which are left out.

    Args:
        events: as given.
        items: of the export.
        as_of: the time of events without one.
        where: they come from, for the error.

    Raises:
        ConfigError: there are events, and all are of unknown items.
    """
    given = list(events)
    known = [one for one in given if one.item in items.row_of]
    unknown = list(dict.fromkeys(one.item for one in given if one.item not in items.row_of))
    if given and not known:
        raise ConfigError(
            f"{where}: none of the {len(unknown)} ids is of an item here, such as '{unknown[0]}'."
            f" Name items as the column example_id of the export's items.parquet does, such as"
            f" '{items.ids[0]}', or give an empty list for what is popular."
        )
    rows = [items.row_of[one.item] for one in known]
    return History.of(rows, [as_of if one.time is None else one.time for one in known]), unknown
