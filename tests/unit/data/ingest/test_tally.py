"""What is counted of kept and refused rows."""

from __future__ import annotations

from typing import Any

import pytest

from fuseline.data.ingest.tally import MAX_LISTED_NAMES, Tally


def example(label: str | None, **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(
        ["text", "image", "audio", "video", "tabular", "lang", "license", "provenance"]
    )
    return {
        **empty,
        "split": "train",
        "label": label,
        "text": "a",
        "sanitised": [],
        "findings": [],
        **values,
    }


def test_rows_of_rare_labels_count_as_refused_alone() -> None:
    tally = Tally(min_label_rows=3)
    for label in ("a", "b", "a", "b", "a", None, "a"):
        tally.rows_in += 1
        tally.keep(example(label, lang=f"of {label}", findings=["text:html"]))
    assert {label: str(why) for label, why in tally.take_rare().items()} == {
        "b": "Only 2 row(s) could be kept with the label 'b'."
    }
    assert (tally.rows_kept, tally.labels, tally.languages) == (5, ["a"], ["of None", "of a"])
    metrics = tally.metrics()
    assert metrics["rows_in"] == metrics["rows_kept"] + metrics["rows_quarantined"]
    assert metrics["quarantined"]["rare_label"] == 2
    assert metrics["splits"]["train"] == metrics["modalities"]["text"] == 5
    assert metrics["findings"] == {"text:html": 5}
    assert metrics["labels"] == {"a": 4}


def test_reasons_are_shown_with_their_first_row() -> None:
    tally = Tally(1)
    for row in (3, 5):
        tally.refuse({"reason": "empty_text", "source_row": row, "detail": "Nothing."})
    assert "  empty_text" in tally.summary()
    assert "row 3: Nothing." in tally.summary()
    assert "row 5" not in tally.summary()


@pytest.mark.parametrize("rows", [1, MAX_LISTED_NAMES + 5])
def test_of_many_licences_the_commonest_are_listed(rows: int) -> None:
    tally = Tally(1)
    for number in range(rows):
        tally.keep(example("a", license=f"L{number:03d}"))
    tally.keep(example("a", license="L104", image={"bytes": b"1"}))
    licenses = tally.facts["licenses"]
    assert len(licenses) == min(rows + 1, MAX_LISTED_NAMES) if rows > 1 else 2
    assert "L104" in licenses
    assert tally.facts["modalities"]["image"] == 1
