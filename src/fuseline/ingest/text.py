"""Cleaning texts and labels, with a record of what was changed."""

from __future__ import annotations

import re
import unicodedata

# All of Unicode's category Cc but tab and line feed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_END = re.compile(r"\r\n?")
_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}


def clean_text(text: str) -> tuple[str, list[str]]:
    """Return the text in Unicode's NFC, without control characters and outer whitespace.

    Carriage returns become line feeds. A text without a visible character becomes empty.

    Returns:
        the text, and names of the changes: `control_characters`, `nfc`, `whitespace`.
    """
    return _clean(text, collapse=False)


def clean_label(label: str) -> tuple[str, list[str]]:
    """As `clean_text`, and every run of whitespace becomes one space."""
    return _clean(label, collapse=True)


def _clean(text: str, *, collapse: bool) -> tuple[str, list[str]]:
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
