from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from fuseline.params.ingest import IngestParams
from fuseline.sources.synthetic import SyntheticSource

Build = Callable[..., IngestParams]


def test_more_rows_leave_earlier_ones_as_they_were(build_params: Build) -> None:
    few = list(SyntheticSource(build_params(synthetic={"num_rows": 5})).rows())
    many = list(SyntheticSource(build_params(synthetic={"num_rows": 9})).rows())
    assert many[:5] == few


def test_label_needs_both_modalities(build_params: Build) -> None:
    rows = list(SyntheticSource(build_params(synthetic={"num_rows": 2000})).rows())
    for clue in ("word", "figure"):
        pairs = Counter((row.raw[clue], row.label) for row in rows)
        assert len(pairs) == 16
        # Evenly 125 a pair: neither clue favours a label.
        assert max(pairs.values()) < 175
    both: dict[tuple[str | None, ...], set[str | None]] = {}
    for row in rows:
        both.setdefault((row.raw["word"], row.raw["figure"]), set()).add(row.label)
    assert all(len(labels) == 1 for labels in both.values())


def test_text_carries_the_word_with_variety(build_params: Build) -> None:
    rows = list(SyntheticSource(build_params(synthetic={"num_rows": 200})).rows())
    assert all(str(row.raw["word"]) in str(row.text).lower() for row in rows)
    assert len({row.text for row in rows}) > 150


def test_groups_are_pairs(build_params: Build) -> None:
    rows = SyntheticSource(build_params(synthetic={"num_rows": 6})).rows()
    assert set(Counter(row.group for row in rows).values()) == {2}


@pytest.mark.parametrize(("num_classes", "image_size"), [(2, 8), (64, 8), (64, 32)])
def test_every_figure_looks_different(
    build_params: Build, num_classes: int, image_size: int
) -> None:
    sizes = {"num_rows": 300, "num_classes": num_classes, "image_size": image_size}
    rows = list(SyntheticSource(build_params(synthetic=sizes)).rows())
    figures: dict[bytes, set[str | None]] = {}
    for row in rows:
        assert row.image is not None
        figures.setdefault(row.image.bytes, set()).add(row.raw["figure"])
    assert all(len(figure) == 1 for figure in figures.values())
