"""What init says of files and columns beside what each is for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuseline.errors import ContractError
from fuseline.workbench.scaffold import propose, refuse_without_target

ROWS = 40
TEXTS = [f"sentence number {row} about the {row * 7 % 11} harbours" for row in range(ROWS)]


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_files_called_after_splits_are_split_anew(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        rows = [f"{text},{'ab'[row % 2]}" for row, text in enumerate(TEXTS)]
        write(tmp_path / f"{name}.csv", ["text,label", *rows])
    _, note = propose(tmp_path).notes
    assert note.startswith("test.csv, train.csv, valid.csv are called after splits, but all rows")
    write(tmp_path / "one" / "train.csv", ["text,label", "a b c,x", "d e f,y"])
    assert not propose(tmp_path / "one").notes


@pytest.mark.parametrize(
    ("column", "remedy"),
    [
        ("mood", "--use 'mood=target:category' keeps them."),
        (
            "label",
            "rename the column, to class, say, and --use 'class=target:category' keeps them.",
        ),
    ],
)
def test_rows_without_a_label_are_told(tmp_path: Path, column: str, remedy: str) -> None:
    rows = [f"{text},{'ab'[row % 2] if row % 5 else ''}" for row, text in enumerate(TEXTS)]
    (note,) = propose(write(tmp_path / "rows.csv", [f"text,{column}", *rows])).notes
    assert note.startswith(f"{column}: 8 of 40 rows have no label, and ingest refuses them.")
    assert note.endswith(remedy)


@pytest.mark.parametrize(
    ("text", "is_told"),
    [("сообщение номер {} о гавани", True), ("un été à la plage; numéro {}", False)],
)
def test_texts_that_minilm_does_not_know_are_told(tmp_path: Path, text: str, is_told: bool) -> None:
    rows = [f'"{text.format(row)}",{"ab"[row % 2]}' for row in range(ROWS)]
    notes = propose(write(tmp_path / "rows.csv", ["text,mood", *rows])).notes
    assert len(notes) == is_told
    for note in notes:
        assert note.startswith("text: MiniLM does not know the language; ")
        assert "tokenize.encoder: auto" in note


def test_columns_of_nought_and_one_may_be_labels(tmp_path: Path) -> None:
    rows = [f"{text},{row % 2},{row // 2 % 2},{row // 4 % 2}" for row, text in enumerate(TEXTS)]
    (note,) = propose(write(tmp_path / "rows.csv", ["text,card,money,age", *rows])).notes
    assert note.startswith("card, money, age hold 0 and 1 alone.")
    two = [row.rpartition(",")[0] for row in rows]
    assert not propose(write(tmp_path / "rows.csv", ["text,card,money", *two])).notes


def test_a_title_above_the_names_is_refused(tmp_path: Path) -> None:
    lines = ["Export of 1 May,", ",", "text,label", *(f"{text},a" for text in TEXTS)]
    with pytest.raises(ContractError, match=r"found one for 2 columns: 'Export of 1 May'\. Remove"):
        propose(write(tmp_path / "rows.csv", lines))


def test_rows_within_an_object_are_refused(tmp_path: Path) -> None:
    content = {"version": "1", "data": [{"text": text, "label": "a"} for text in TEXTS]}
    path = write(tmp_path / "my rows.json", [json.dumps(content)])
    with pytest.raises(ContractError, match="one object whose 'data' holds 40 of them") as caught:
        propose(path)
    assert str(caught.value).endswith(f"""jq '."data"' '{path}' > {tmp_path}/rows_alone.json""")


def test_a_label_of_a_few_rows_is_called_so(tmp_path: Path) -> None:
    rows = [f"{text},label {row}" for row, text in enumerate(TEXTS[:5])]
    proposal = propose(write(tmp_path / "rows.csv", ["text,category", *rows]))
    guess = proposal.guesses[1]
    assert "called like a label, but 5 different values hardly recur in 5 rows" in guess.reason
    assert guess.instead.startswith("--use 'category=label'")
    with pytest.raises(ContractError, match="Do what is said above of a column"):
        refuse_without_target(proposal)
