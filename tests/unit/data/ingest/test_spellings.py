"""Same value, same class: what is certain is made one, what is a guess is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuseline.config import read_yaml
from fuseline.contracts import EXAMPLES, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.data.ingest.spellings import Spellings, parted_by
from fuseline.params import whole
from fuseline.params.ingest import IngestParams
from tests.support.repository import PARAMS_FILE

Build = Callable[..., IngestParams]

CERTAIN = [
    ("0", "0.0"),
    ("1", "1.0"),
    ("1.0", "1"),
    ("1", "1.000"),
    ("1", "+1"),
    ("-1", "-1.0"),
    ("0", "-0.0"),
    ("12", "12."),
    ("True", "true"),
    ("TRUE", "True"),
    ("false", "FALSE"),
    ("pos", "pos\u200b"),
    ("pos", "\ufeffpos"),
    ("pos", "po\u00ads"),
    ("pos", "pos\u200d"),
    ("pos", "\u2060pos\u200e"),
    ("very good", "very\u00a0good"),
    ("very good", " very  good "),
    ("very good", "very\u3000good"),
    ("1", "1.0\u200b"),
    ("caf\u00e9", "cafe\u0301"),
]
GUESSES = [
    ("Positive", "positive", "case"),
    ("US", "us", "case"),
    ("01", "1", "zeros before a number, which may be part of a code"),
    ("007", "7.0", "zeros before a number, which may be part of a code"),
    ("1.5", "1.50", "how a number is written, which may be a version"),
    ("0.5", ".5", "how a number is written, which may be a version"),
    ("1", "True", "how true and false are written"),
    ("false", "0", "how true and false are written"),
    ("\uff21", "A", "the form of their letters"),
]
APART = [
    ("1", "2"),
    ("1", "10"),
    ("1", "-1"),
    ("a", "b"),
    ("NA", "None"),
    ("\U0001f468\u200d\U0001f469", "\U0001f468\U0001f469"),
    ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e"),
    ("1.0.0", "1"),
    ("1e3", "1000"),
    ("true", "yes"),
]

Run = Callable[..., tuple[dict[str, Any], list[str]]]


@pytest.fixture
def run(build_params: Build, tmp_path: Path) -> Run:
    """Ingest rows with these labels, some of each; return the metrics and the kept labels."""

    def ingest(labels: list[str], **changes: Any) -> tuple[dict[str, Any], list[str]]:
        raw = tmp_path / "raw"
        raw.mkdir(exist_ok=True)
        rows = [
            f'{number}-{n}: some words,"{label}"'
            for n in range(4)
            for number, label in enumerate(labels)
        ]
        (raw / "rows.csv").write_text("\n".join(["text,kind", *rows]), encoding="utf-8")
        manifest = {
            "path": str(raw / "rows.csv"),
            "columns": {"image": None, "label": "kind"} | changes.pop("columns", {}),
        }
        params = build_params(
            source="manifest", manifest=manifest, duplicates={"text_similarity": 1.0}, **changes
        )
        metrics = ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=raw)
        table = read_table(tmp_path / "e", EXAMPLES, "examples")
        return metrics, table["label"].to_pylist()

    return ingest


@pytest.mark.parametrize(("first", "second"), CERTAIN)
def test_what_is_certain_is_one_class(run: Run, first: str, second: str) -> None:
    metrics, labels = run([first, second])
    assert len(set(labels)) == metrics["num_labels"] == 1
    assert len(labels) == 8


@pytest.mark.parametrize(("first", "second"), [("0", "0.0"), ("true", "True"), ("a", "a\u200b")])
def test_the_params_may_say_otherwise(run: Run, first: str, second: str) -> None:
    metrics, _ = run([first, second], spellings="as_written")
    assert metrics["num_labels"] == 2
    assert all("as_written" not in note for note in metrics["notes"])


def test_what_was_made_one_is_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    metrics, labels = run(["0", "1", "0.0", "1.0"])
    assert set(labels) == {"0", "1"}
    told = (
        "label: '0.0' as '0' (4 rows); '1.0' as '1' (4 rows) counted as one name each;"
        " ingest.spellings: as_written keeps them apart."
    )
    assert metrics["notes"] == [told]
    assert f"look at: {told}" in capsys.readouterr().out
    assert metrics["sanitised"]["label:spelling"] == 8


@pytest.mark.parametrize(("first", "second", "difference"), GUESSES)
def test_a_guess_is_told_and_its_remedy_works(
    run: Run, first: str, second: str, difference: str
) -> None:
    metrics, _ = run([first, second])
    assert metrics["num_labels"] == 2
    (note,) = metrics["notes"]
    assert f"differ only in {difference}; ingest.spellings: all makes them one." in note
    assert f"{first!r} (4 rows)" in note
    merged, labels = run([first, second], spellings="all")
    assert merged["num_labels"] == 1
    assert set(labels) == {first}


@pytest.mark.parametrize(("first", "second"), APART)
@pytest.mark.parametrize("spelling", ["certain", "all"])
def test_other_values_are_other_classes(run: Run, first: str, second: str, spelling: str) -> None:
    metrics, _ = run([first, second], spellings=spelling)
    assert metrics["num_labels"] == 2
    assert metrics["notes"] == []


def test_what_a_sentence_quotes_is_short() -> None:
    spellings = Spellings("certain")
    for n in range(50):
        spellings.settle("label", f"{'x' * 5000}{n}")
        spellings.settle("label", f"{'X' * 5000}{n}")
    (note,) = spellings.notes("label")
    assert len(note) < 800
    assert "47 more" in note


def test_names_of_targets_are_settled_too(run: Run) -> None:
    columns = {"label": None, "targets": {"kind": "category"}}
    metrics, _ = run(["0", "0.0", "A", "a"], columns=columns)
    assert [note.partition(":")[0] for note in metrics["notes"]] == ["kind", "kind"]


COMBINED = [
    "drama",
    "comedy",
    "action",
    "drama{0}comedy",
    "action{0}drama",
    "comedy{0}action{0}drama",
]


@pytest.mark.parametrize("mark", [";", "|", ",", "/", " ", "; "])
def test_combinations_of_few_names_are_told(run: Run, mark: str) -> None:
    labels = [label.format(mark) for label in COMBINED]
    metrics, _ = run(labels)
    (note,) = metrics["notes"]
    shown = mark.strip() or " "
    assert "3 of 6 names" in note
    assert "each combination a class of its own" in note
    assert "columns.targets to {kind: categories}" in note
    assert f"ingest.categories_separator to '{shown}'" in note


@pytest.mark.parametrize("mark", [";", ",", "/", " "])
def test_the_remedy_for_combinations_works(run: Run, mark: str) -> None:
    labels = [label.format(mark) for label in COMBINED]
    columns = {"label": None, "targets": {"kind": "categories"}}
    metrics, _ = run(labels, columns=columns, categories_separator=mark)
    assert metrics["notes"] == []
    content = read_yaml(PARAMS_FILE)
    content["ingest"]["source"] = "manifest"
    content["ingest"]["manifest"]["columns"] |= columns
    content["ingest"]["categories_separator"] = mark
    content["finetune"]["tasks"] = [{"kind": "multilabel", "target": "kind", "weight": 1.0}]
    whole.check(content)


def test_a_column_that_no_target_may_be_called_as_is_renamed(
    build_params: Build, tmp_path: Path
) -> None:
    rows = [f'{n}: words,"{label.format(";")}"' for n in range(4) for label in COMBINED]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]))
    manifest = {"path": str(tmp_path / "rows.csv"), "columns": {"image": None}}
    params = build_params(source="manifest", manifest=manifest)
    metrics = ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=tmp_path)
    assert "rename the column to labels, set columns.label to null" in metrics["notes"][0]
    assert "columns.targets to {labels: categories}" in metrics["notes"][0]


@pytest.mark.parametrize("mark", [";", ",", "/"])
def test_a_separator_that_is_not_the_named_one_is_told(run: Run, mark: str) -> None:
    labels = [label.format(mark) for label in COMBINED]
    columns = {"label": None, "targets": {"kind": "categories"}}
    metrics, _ = run(labels, columns=columns)
    (note,) = metrics["notes"]
    assert f"set ingest.categories_separator to '{mark}'; now it is '|'." in note


@pytest.mark.parametrize(
    "names",
    [
        ["red circle", "blue circle", "red square", "blue square"],
        ["red circle", "blue circle", "red square", "blue square", "red star", "blue star"],
        ["dog", "hot dog", "cat", "big cat"],
        ["Clothing, shoes", "Books, used", "Toys, games", "Home, garden"],
        ["1,5", "2,5", "1,2", "2,1", "5,1"],
        ["01/02", "02/01", "01/03", "03/02"],
        ["a", "b", "c"],
        ["New York", "Los Angeles", "San Jose", "San Diego", "Boston"],
        [],
    ],
)
def test_plain_names_are_left_alone(names: list[str]) -> None:
    assert parted_by(dict.fromkeys(names, 5)) is None
