"""What the figures of the data say to look at first, each with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fuseline.data.notices import (
    ingest_notices,
    read_notices,
    tokenize_notices,
    tokenize_summary,
    told,
)
from fuseline.pipeline.metrics_file import write_metrics
from fuseline.workbench.doctor import Level
from fuseline.workbench.doctor.notices import notices as examine

LEARNABLE = {
    "test_interval_width": 0.11,
    "fewest_training_rows": 40,
    "thin_labels": 0,
    "labels_without_dev_rows": 0,
    "labels_without_test_rows": 0,
    "targets_without_dev_rows": 0,
    "targets_without_test_rows": 0,
}
INGEST: dict[str, Any] = {
    "rows_in": 400,
    "rows_kept": 390,
    "rows_quarantined": 10,
    "quarantined": {"missing_media": 7, "rare_label": 3},
    "splits": {"train": 280, "dev": 55, "test": 55},
    "num_labels": 41,
    "modalities": {"text": 390, "image": 300, "audio": 20, "video": 4, "tabular": 0},
    "findings": {"text:html": 3},
    "duplicates": {"rows": 30},
    "learnable": LEARNABLE,
}
TOKENIZE: dict[str, Any] = {
    "rows": 130,
    "texts": 120,
    "max_length_tokens": 64,
    "length_p95_tokens": 60,
    "truncated_rows": 0,
    "truncated_share": 0.0,
    "unknown_share": 0.0,
    "encoder": "minilm",
    "encoder_positions": 512,
    "knows_language": True,
    "unread_share": 0.01,
    "short_share": 0.04,
}
FOREIGN = {"knows_language": False, "unread_share": 0.9, "short_share": 1.0}


def learnable(**changes: float) -> dict[str, Any]:
    return {"learnable": LEARNABLE | changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        (learnable(test_interval_width=0.2), None),
        (
            learnable(test_interval_width=0.59) | {"splits": {"test": 7}},
            "The test split has 7 rows: a share measured on them, such as accuracy, has a 95 %"
            " interval up to 0.59 wide. Add rows, or move more of them there: by"
            " ingest.split.test, or by the column `split`.",
        ),
        (
            learnable(labels_without_test_rows=13),
            "13 of 41 labels have no row in the test split: no figure there speaks of them. Add"
            " rows of them in groups of their own, or raise ingest.min_label_rows",
        ),
        (learnable(labels_without_dev_rows=2), "2 of 41 labels have no row in the dev split"),
        (
            learnable(targets_without_dev_rows=1),
            "1 of the target columns have no value in any row of the dev split.",
        ),
        (learnable(thin_labels=5), "5 of 41 labels have fewer than 10 training rows."),
        (
            {"findings": {"image:constant": 12}},
            "12 of 300 pictures are of one colour, and tell nothing. Look at these files: their"
            " rows have image:constant among the `findings` of data/examples.",
        ),
        ({"findings": {"audio:silent": 1}}, "1 of 20 sounds are silent"),
        ({"findings": {"video:constant": 4}}, "4 of 4 videos show one colour alone"),
        (
            {"duplicates": {"rows": 100}},
            "100 of 390 rows (26%) copy an earlier row, and share its split.",
        ),
        (
            {"rows_in": 510, "rows_kept": 350, "rows_quarantined": 160},
            "160 of 510 rows (31%) went to quarantine, most as missing_media (7).",
        ),
        ({"notes": ["rows.csv: read as cp1252."]}, "rows.csv: read as cp1252."),
        ({"learnable": {}}, None),
    ],
)
def test_ingest(changes: dict[str, Any], said: str | None) -> None:
    found = [str(notice) for notice in ingest_notices(INGEST | changes)]
    assert len(found) == (said is not None)
    assert said is None or found[0].startswith(said)


def test_of_many_notes_the_rest_are_counted() -> None:
    notes = [f"{number}.csv: read as cp1252." for number in range(8)]
    *first, last = ingest_notices(INGEST | {"notes": notes})
    assert [str(notice) for notice in first] == notes[:5]
    assert str(last) == "3 more notes. metrics/ingest.json has all of them."
    assert len(ingest_notices(INGEST | {"notes": notes[:5]})) == 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"texts": 0}, None),
        ({"truncated_rows": 6, "truncated_share": 0.05}, None),
        (
            {"truncated_rows": 120, "truncated_share": 1.0, "length_p95_tokens": 201},
            "120 of 120 texts (100%) are longer than 64 tokens and were cut: the model does not"
            " see the rest. Raise tokenize.max_length_tokens to 208, which 19 of 20 texts fit.",
        ),
        (
            {"truncated_rows": 60, "truncated_share": 0.5, "length_p95_tokens": 5000},
            "60 of 120 texts (50%) are longer than 64 tokens and were cut: the model does not see"
            " the rest. Raise tokenize.max_length_tokens to 510, all that the encoder takes.",
        ),
        (
            {
                **{"truncated_rows": 60, "truncated_share": 0.5, "length_p95_tokens": 5000},
                "encoder_positions": 0,
            },
            "60 of 120 texts (50%) are longer than 64 tokens and were cut: the model does not see"
            " the rest. Raise tokenize.max_length_tokens to 5000, which 19 of 20 texts fit.",
        ),
        (
            {
                **{"truncated_rows": 60, "truncated_share": 0.5, "length_p95_tokens": 5000},
                "max_length_tokens": 512,
            },
            "60 of 120 texts (50%) are longer than 512 tokens and were cut: the model does not see"
            " the rest. The encoder takes no more: make several rows of a long text",
        ),
        ({"unknown_share": 0.02}, None),
        (
            {"unknown_share": 0.311},
            "31.1% of all tokens are unknown to the tokenizer: the model cannot tell these words"
            " apart. Choose a tokenize.encoder for the languages of the texts",
        ),
        ({"short_share": 0.25}, None),
        (
            {"unread_share": 0.04, "short_share": 0.31},
            "31% of the letters lie in pieces of one or two: the text encoder hardly knows the"
            " language. Set tokenize.encoder to a folder with a text encoder for the language, or"
            " compare with `characters`.",
        ),
        (
            FOREIGN,
            "The text encoder does not know the language: 90% of the letters are unknown to it, or"
            " pieces of their own. Set tokenize.encoder to a folder with a text encoder for the"
            " language, or to `characters`.",
        ),
        (
            FOREIGN | {"encoder": "characters"},
            "MiniLM does not know the language: 90% of the letters are unknown to it, or pieces of"
            " their own. tokenize.encoder: auto chose `characters` instead",
        ),
    ],
)
def test_tokenize(changes: dict[str, Any], said: str | None) -> None:
    figures = TOKENIZE | changes
    found = [str(notice) for notice in tokenize_notices(figures)]
    assert len(found) == (said is not None)
    assert said is None or found[0].startswith(said)
    lines = tokenize_summary(figures).splitlines()
    told_first = f"tokenize: {figures['texts']} texts for the encoder {figures['encoder']}, "
    assert lines[0].startswith(told_first)
    assert lines[1:] == [f"look at: {notice}" for notice in found]


def written(folder: Path, **changes: dict[str, Any]) -> Path:
    for name, figures in {"ingest": INGEST, "tokenize": TOKENIZE}.items():
        write_metrics(folder / f"{name}.json", figures | changes.get(name, {}), headline=[])
    return folder


def test_metrics_files_are_read_as_far_as_they_are_there(tmp_path: Path) -> None:
    assert read_notices(tmp_path) == []
    folder = written(tmp_path, tokenize={"unknown_share": 0.5}, ingest=learnable(thin_labels=1))
    notices = read_notices(folder)
    assert len(notices) == 2
    assert told(notices).count("look at: ") == 2
    (folder / "ingest.json").unlink()
    assert len(read_notices(folder)) == 1


def test_the_doctor_tells_each(tmp_path: Path) -> None:
    (found,) = examine(tmp_path)
    assert found.level == Level.OK
    written(tmp_path / "metrics", tokenize={"unknown_share": 0.5})
    (found,) = examine(tmp_path)
    assert (found.level, found.subject) == (Level.WARNING, "notices")
    assert "50.0% of all tokens are unknown" in found.found
    assert "tokenize.encoder" in found.remedy
    note = "rows.csv: read as cp1252."
    written(tmp_path / "metrics", ingest={"notes": [note]})
    (found,) = examine(tmp_path)
    assert str(found) == f"WARNING  notices: {note}"
    (tmp_path / "metrics" / "ingest.json").write_text("<<<<<<< HEAD")
    (found,) = examine(tmp_path)
    assert (found.level, "not readable as JSON" in found.found) == (Level.WARNING, True)
