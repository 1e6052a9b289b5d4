"""Cleaning texts and labels, with a record of what was changed and what was found."""

from __future__ import annotations

import re
import unicodedata

from fuseline.contracts import TEXT_JOINT

# All of Unicode's category Cc but tab and line feed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# The paragraph separator with them: it is what parts the texts of a row, so no text may hold it.
_LINE_END = re.compile(rf"\r\n?|{TEXT_JOINT}")
_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}

# How data frames and spreadsheets spell "no value", in any case; no class is called so. "None"
# and "NA" may be: a class of their own, a country.
NO_LABELS = frozenset({"nan", "null", "n/a", "#n/a", "<na>", "nat"})

# What a spreadsheet runs as a formula. Of the texts that begin with a sign only those that call a
# function or a program: a list's "- item", "-5" and "@name" are no danger.
_FORMULA = re.compile(r"=|[+\-@].*(?:\w\(|\w\|)", re.DOTALL)
# Elements that documents are made of. "a < b", "List<String>" and "<unk>" are none.
_HTML = re.compile(
    r"<(?:!--|!doctype\b|/?(?:a|abbr|audio|b|blockquote|body|br|button|code|div|em|embed|font"
    r"|form|h[1-6]|head|hr|html|i|iframe|img|input|li|link|meta|object|ol|option|p|pre|script"
    r"|select|small|span|strong|style|sub|sup|svg|table|tbody|td|textarea|th|thead|title|tr|u|ul"
    r"|video)(?=[\s/>])[^<>]*>)",
    re.IGNORECASE,
)


def clean_text(text: str) -> tuple[str, list[str]]:
    """Return the text in Unicode's NFC, without control characters and outer whitespace.

    Carriage returns and paragraph separators become line feeds. A text without a visible character
    becomes empty.

    Returns:
        the text, and names of the changes: `control_characters`, `nfc`, `whitespace`.
    """
    return _clean(text, collapse=False)


def clean_label(label: str) -> tuple[str, list[str]]:
    """As `clean_text`, and every run of whitespace becomes one space."""
    return _clean(label, collapse=True)


def find_markup(text: str) -> list[str]:
    """What a program might run or show that takes the text for more than text.

    Returns:
        `formula` where a spreadsheet would run it, `html` where it holds an HTML element.
    """
    found = {
        "formula": text[:1] in "=+-@" and _FORMULA.match(text),
        "html": "<" in text and _HTML.search(text),
    }
    return [name for name, match in found.items() if match]


def _clean(text: str, *, collapse: bool) -> tuple[str, list[str]]:
    if text.isascii() and text.isprintable():
        tidy = " ".join(text.split()) if collapse else text.strip()
        return tidy, ["whitespace"] if tidy != text else []
    printable = _CONTROL.sub("", _LINE_END.sub("\n", text))
    composed = unicodedata.normalize("NFC", printable)
    tidy = " ".join(composed.split()) if collapse else composed.strip()
    changes = {
        "control_characters": printable != text,
        "nfc": composed != printable,
        "whitespace": tidy != composed,
    }
    visible = any(unicodedata.category(character) not in _INVISIBLE for character in tidy)
    return tidy if visible else "", [name for name, changed in changes.items() if changed]
