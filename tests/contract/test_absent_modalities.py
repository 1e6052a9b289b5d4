"""A row may lack any modality: every stage runs where some rows lack one, where all test rows do,
and where all rows of one class do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from fuseline.contracts import EXAMPLES, read_table
from fuseline.data.sources import SOURCES, RawRow
from fuseline.data.sources.synthetic import SyntheticSource
from fuseline.params.base import Modality
from fuseline.pipeline.metrics_file import read_metrics
from tests.support.every_stage import Stages

# Which rows lack the modality.
WHERE: dict[str, Callable[[RawRow], bool]] = {
    "one row": lambda row: row.source_row == 0,
    "some rows": lambda row: row.source_row % 3 == 0,
    "all test rows": lambda row: row.split == "test",
    "all training rows": lambda row: row.split == "train",
    "all rows of one class": lambda row: row.label == "class_00",
}
MODALITIES: tuple[Modality, ...] = get_args(Modality)


class Lacking(SyntheticSource):
    """Synthetic rows with splits of their own, some of which lack modalities."""

    lacks: Callable[[RawRow], list[str]]

    def rows(self) -> Iterator[RawRow]:
        for row in super().rows():
            split = ("train", "train", "train", "dev", "test")[row.source_row // 2 % 5]
            given = replace(row, split=split)
            absent: dict[str, Any] = dict.fromkeys(self.lacks(given))
            if "text" in absent:
                absent["targets"] = {k: v for k, v in (row.targets or {}).items() if k != "tags"}
            yield replace(given, **absent)


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stages]:
    def build(lacks: Callable[[RawRow], list[str]], **changes: Any) -> Stages:
        monkeypatch.setitem(
            SOURCES, "synthetic", type("Source", (Lacking,), {"lacks": staticmethod(lacks)})
        )
        # Without a training text there is no training tag, which is no fault here.
        small = {"ingest.synthetic.num_rows": 60, "ingest.unlearnable": "warn"}
        return Stages(tmp_path, **small | changes)

    return build


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("modality", MODALITIES)
def test_the_data_stages_run(stages: Callable[..., Stages], modality: str, where: str) -> None:
    run = stages(lambda row: [modality] if WHERE[where](row) else [])
    run.prepare()
    column = read_table(run.examples, EXAMPLES, "examples", [modality]).column(modality)
    assert 0 < column.null_count < len(column)
    assert read_metrics(run.metrics / "ingest.json")["modalities"][modality] == (
        len(column) - column.null_count
    )


# Each modality is lacking in one of them, and each place has one.
@pytest.mark.parametrize(
    ("where", "absent"),
    [
        ("some rows", ["text", "audio"]),
        ("all test rows", ["text", "tabular"]),
        ("all test rows", ["image", "audio", "video"]),
        ("all rows of one class", ["text", "image"]),
        ("all rows of one class", ["audio", "video", "tabular"]),
        ("all training rows", ["text", "video"]),
    ],
)
def test_every_stage_runs(stages: Callable[..., Stages], where: str, absent: list[str]) -> None:
    run = stages(lambda row: absent if WHERE[where](row) else [])
    run.prepare()
    run.learn()
    page = run.judge()
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", page))
