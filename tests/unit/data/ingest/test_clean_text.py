from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseline.data.ingest.text import clean_label, clean_text, find_markup


@pytest.mark.parametrize(
    ("text", "clean", "changes"),
    [
        ("plain", "plain", []),
        ("two\nlines\tand tab", "two\nlines\tand tab", []),
        ("a\0b\x1bc\x85d", "abcd", ["control_characters"]),
        ("a\r\nb\rc", "a\nb\nc", ["control_characters"]),
        ("one\u2029two", "one\ntwo", ["control_characters"]),
        ("e\u0301", "é", ["nfc"]),
        ("  padded \n", "padded", ["whitespace"]),
        ("\0 e\u0301 ", "é", ["control_characters", "nfc", "whitespace"]),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧", []),
    ],
)
def test_text(text: str, clean: str, changes: list[str]) -> None:
    assert clean_text(text) == (clean, changes)


@pytest.mark.parametrize("blank", ["", "   ", "\0", "\u200b\ufeff", "\u00a0\u2028", "\n\t"])
def test_text_without_a_visible_character_is_empty(blank: str) -> None:
    assert clean_text(blank)[0] == ""
    assert clean_label(blank)[0] == ""


def test_label_collapses_inner_whitespace() -> None:
    assert clean_label(" red  \t apple\n") == ("red apple", ["whitespace"])


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    for clean in (clean_text, clean_label):
        once, _ = clean(text)
        assert clean(once) == (once, [])
        assert unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("=1+1", ["formula"]),
        ("=HYPERLINK(A1)", ["formula"]),
        ("+SUM(A1:A2)", ["formula"]),
        ("-2+3+cmd|' /C calc'!A0", ["formula"]),
        ("@SUM(1+9)", ["formula"]),
        ("- an item (or two)", []),
        ("-5.2", []),
        ("+49 30 1234", []),
        ("@somebody | somewhere", []),
        ("a = b", []),
        ("<p>text</p>", ["html"]),
        ("a <BR/> b", ["html"]),
        ("<img src=x onerror=alert(1)>", ["html"]),
        ("<!-- hidden -->", ["html"]),
        ("=<script>", ["formula", "html"]),
        ("a < b and c > d", []),
        ("List<String>, <unk>, <bos>, <3", []),
        ("", []),
    ],
)
def test_markup(text: str, found: list[str]) -> None:
    assert find_markup(text) == found
