"""Target cells: whether each is what its kind says, and one spelling for what is the same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from fuseline.ingest.refusal import Refusal
from fuseline.params.ingest import TargetKind

SEPARATOR = "|"


def check_target(name: str, kind: TargetKind, cell: str, text: str | None) -> str:
    """The cell in the spelling of the examples table.

    `categories` come as `a|b` or a JSON list and become a JSON list, sorted, each once; `number`
    becomes Python's shortest spelling of the float; `tags` come separated by spaces or as a JSON
    list and become the former.

    Args:
        name: of the column, for the message.
        kind: what the column holds.
        cell: not empty, on one line but for `text`.
        text: the row's text as it will be kept, whose words `tags` name one by one.

    Raises:
        Refusal: `malformed_target`.
    """
    return _CHECKS[kind](name, cell, text)


def _as_it_is(name: str, cell: str, text: str | None) -> str:
    del name, text
    return cell


def _categories(name: str, cell: str, text: str | None) -> str:
    del text
    names = {entry.strip() for entry in _entries(name, cell, cell.split(SEPARATOR))}
    return json.dumps(sorted(names - {""}), ensure_ascii=False)


def _number(name: str, cell: str, text: str | None) -> str:
    del text
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _malformed(name, f"expected a finite number, found {cell!r}")
    return repr(value)


def _tags(name: str, cell: str, text: str | None) -> str:
    tags = _entries(name, cell, cell.split())
    words = (text or "").split()
    if len(tags) != len(words):
        raise _malformed(
            name, f"expected a tag for each of the text's {len(words)} words, found {len(tags)}"
        )
    if any(not tag or tag.split() != [tag] for tag in tags):
        raise _malformed(name, "expected tags without spaces, found one that is empty or has some")
    return " ".join(tags)


def _entries(name: str, cell: str, plain: list[str]) -> list[str]:
    """The entries of a JSON list, or those that a plain cell was cut into."""
    if not cell.startswith("["):
        return plain
    try:
        entries = json.loads(cell)
    except ValueError:
        return plain
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise _malformed(name, "expected a list of texts, found something else in it")
    return entries


def _malformed(name: str, detail: str) -> Refusal:
    return Refusal("malformed_target", f"column {name!r}: {detail}.")


_CHECKS: dict[TargetKind, Callable[[str, str, str | None], str]] = {
    "category": _as_it_is,
    "categories": _categories,
    "number": _number,
    "tags": _tags,
    "text": _as_it_is,
}
