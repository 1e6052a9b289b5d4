"""Target cells: whether each is what its kind says, and one spelling for what is the same."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.text import NO_LABELS, clean_label
from fuseline.data.sources.cells import is_broken
from fuseline.params.ingest import TargetKind

SEPARATOR = "|"
# Of float32, which predictions are kept in.
LARGEST = 3.4028234663852886e38
# How much of a cell a refusal quotes.
SHOWN = 60
# Python's, NumPy's or a damaged spelling of a list; no plain cell begins so.
QUOTED_LIST = re.compile(r"\[\s*['\"]")


def check_target(
    name: str, kind: TargetKind, cell: str, text: str | None, *, masked: bool = False
) -> str:
    """The cell in the spelling of the examples table.

    `categories` come as `a|b` or a JSON list and become a JSON list, sorted, each once; `number`
    becomes Python's shortest spelling of the float; `tags` come separated by spaces or as a JSON
    list and become the former.

    Args:
        name: of the column, for the message.
        kind: what the column holds.
        cell: not empty, on one line but for `text`.
        text: the row's text as it will be kept, whose words `tags` name one by one.
        masked: whether personal data in that text was masked, for the message.

    Raises:
        Refusal: `malformed_target`.
    """
    if kind == "tags":
        return _tags(name, cell, text, masked)
    return _CHECKS[kind](name, cell, text)


def _text(name: str, cell: str, text: str | None) -> str:
    del name, text
    return cell


def _category(name: str, cell: str, text: str | None) -> str:
    del text
    if cell.casefold() in NO_LABELS:
        raise _malformed(name, f"{cell!r} stands for a missing value")
    return cell


def _categories(name: str, cell: str, text: str | None) -> str:
    entries = _entries(name, cell, cell.split(SEPARATOR))
    names = {clean_label(entry)[0] for entry in entries} - {""}
    return json.dumps(sorted(_category(name, n, text) for n in names), ensure_ascii=False)


def _number(name: str, cell: str, text: str | None) -> str:
    del text
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise _malformed(
            name, f"expected a finite number of at most {LARGEST:g}, found {cell[:SHOWN]!r}"
        )
    return repr(value)


def _tags(name: str, cell: str, text: str | None, masked: bool) -> str:
    tags = [clean_label(tag)[0] for tag in _entries(name, cell, cell.split())]
    words = (text or "").split()
    if len(tags) != len(words):
        why = "; personal data in the text was masked, so that tags may no longer fit its words"
        raise _malformed(
            name,
            f"expected a tag for each of the text's {len(words)} words, found {len(tags)}"
            f"{why if masked else ''}",
        )
    if any(not tag or " " in tag for tag in tags):
        raise _malformed(name, "expected tags without spaces, found one that is empty or has some")
    return " ".join(tags)


def _entries(name: str, cell: str, plain: list[str]) -> list[str]:
    """The entries of a JSON list, or those that a plain cell was cut into."""
    if not cell.startswith("["):
        return plain
    try:
        entries = json.loads(cell)
    except RecursionError:
        entries = None
    except ValueError:
        if not QUOTED_LIST.match(cell):
            return plain
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise _malformed(name, 'expected a JSON list of texts, such as ["a", "b"]')
    if any(is_broken(entry) for entry in entries):
        raise _malformed(name, "expected texts, found half of a surrogate pair")
    return entries


def _malformed(name: str, detail: str) -> Refusal:
    return Refusal("malformed_target", f"column {name!r}: {detail}.")


_CHECKS: dict[TargetKind, Callable[[str, str, str | None], str]] = {
    "category": _category,
    "categories": _categories,
    "number": _number,
    "text": _text,
}
