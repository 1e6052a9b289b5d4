from __future__ import annotations

import re

import pytest

from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.safety import SafetyScreen
from fuseline.errors import ConfigError
from fuseline.params.ingest import HarmfulParams, SafetyParams

TEXT = "mail a@b.de or call +44 20 7946 0958"


def screen(personal_data: str, *, harmful: str = "none", action: str = "report") -> SafetyScreen:
    return SafetyScreen(
        SafetyParams(
            personal_data=personal_data,
            harmful=HarmfulParams(screen=harmful, threshold=0.5, action=action),
        )
    )


def test_masking_records_each_kind_once():
    screened = screen("mask").screen(f"{TEXT}, c@d.fr")
    assert screened.text == "mail [EMAIL] or call [PHONE], [EMAIL]"
    assert (screened.changes, screened.findings) == (["email", "phone"], [])


def test_keeping_reports_what_was_found():
    screened = screen("keep").screen(TEXT)
    assert (screened.text, screened.changes, screened.findings) == (TEXT, [], ["email", "phone"])


def test_quarantine_names_the_kinds_and_quotes_nothing():
    with pytest.raises(Refusal, match=re.escape("holds personal data: email, phone.")) as refused:
        screen("quarantine").screen(TEXT)
    assert refused.value.reason == "personal_data"
    assert "a@b" not in refused.value.detail
    assert "7946" not in refused.value.detail


@pytest.mark.parametrize(
    ("personal_data", "kept"), [("keep", True), ("mask", False), ("quarantine", False)]
)
def test_raw_values_are_masked_unless_the_data_are_kept(personal_data, kept):
    assert (screen(personal_data).masked("notes", "x a@b.de") == "x a@b.de") == kept
    assert (screen(personal_data).masked("mobile", "2126647665") == "2126647665") == kept


def test_cells_are_screened_by_the_same_param():
    screened = screen("mask").screen_cell("contact", "a@b.de")
    assert (screened.text, screened.changes, screened.findings) == ("[EMAIL]", ["email"], [])
    kept = screen("keep").screen_cell("mobile", "2126647665")
    assert (kept.text, kept.changes, kept.findings) == ("2126647665", [], ["phone"])
    with pytest.raises(Refusal, match=re.escape("The column 'contact' holds personal data: email")):
        screen("quarantine").screen_cell("contact", "a@b.de")


def test_a_plain_text_passes_unchanged():
    screened = screen("quarantine", harmful="word_list", action="quarantine").screen("a red cat")
    assert (screened.text, screened.changes, screened.findings) == ("a red cat", [], [])


def test_harmful_content_is_reported_or_quarantined():
    assert screen("mask", harmful="word_list").screen("you arsehole").findings == ["harmful"]
    assert screen("mask").screen("you arsehole").findings == []
    with pytest.raises(Refusal, match="'word_list' judged it harmful") as refused:
        screen("mask", harmful="word_list", action="quarantine").screen("you arsehole")
    assert refused.value.reason == "harmful_content"


def test_an_unknown_screen_lists_the_valid_ones():
    with pytest.raises(ConfigError, match=r"harmful\.screen: unknown name 'word_lst'.*word_list"):
        screen("mask", harmful="word_lst")
