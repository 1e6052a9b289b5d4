"""Target cells: whether each is what its kind says, and one spelling for what is the same."""

from __future__ import annotations

import json
import math
import re

from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.spellings import Spellings
from fuseline.data.ingest.text import NO_LABELS, clean_label
from fuseline.data.sources.base import brief
from fuseline.data.sources.cells import is_broken
from fuseline.params.ingest import TargetKind

# Of float32, which predictions are kept in.
LARGEST = 3.4028234663852886e38
# Python's, NumPy's or a damaged spelling of a list; no plain cell begins so.
QUOTED_LIST = re.compile(r"\[\s*['\"]")


def check_target(
    name: str,
    kind: TargetKind,
    cell: str,
    text: str | None,
    *,
    separator: str,
    spellings: Spellings,
    masked: bool = False,
) -> str:
    """The cell in the spelling of the examples table.

    `categories` come parted by the separator or as a JSON list and become a JSON list, sorted,
    each once; `number` becomes Python's shortest spelling of the float; `tags` come separated by
    spaces or as a JSON list and become the former.

    Args:
        name: of the column, for the message.
        kind: what the column holds.
        cell: not empty, on one line but for `text`.
        text: the row's text as it will be kept, whose words `tags` name one by one.
        separator: of several names.
        spellings: settles each name of `category` and `categories`.
        masked: whether personal data in that text was masked, for the message.

    Raises:
        Refusal: `malformed_target`.
    """
    if kind == "tags":
        return _tags(name, cell, text, masked)
    if kind == "category":
        return _category(name, cell, spellings)
    if kind == "categories":
        return _categories(name, cell, separator, spellings)
    return _number(name, cell) if kind == "number" else cell


def _category(name: str, cell: str, spellings: Spellings) -> str:
    visible = spellings.visible(cell)
    if visible.casefold() in NO_LABELS or not visible:
        raise _malformed(name, f"{brief(cell)!r} stands for a missing value")
    return spellings.settle(name, visible)


def _categories(name: str, cell: str, separator: str, spellings: Spellings) -> str:
    entries = _entries(name, cell, cell.split(separator))
    names = {clean_label(entry)[0] for entry in entries} - {""}
    settled = {_category(name, entry, spellings) for entry in sorted(names)}
    return json.dumps(sorted(settled), ensure_ascii=False)


def _number(name: str, cell: str) -> str:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise _malformed(
            name, f"expected a finite number of at most {LARGEST:g}, found {brief(cell)!r}"
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
    return Refusal("malformed_target", f"column {brief(name)!r}: {detail}.")
