"""Entries of a knowledge file, and rows that are none."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.errors import ContractError
from fuseline.serving.chat.config import SafetyParams
from fuseline.serving.chat.knowledge import Entry, read_knowledge
from fuseline.serving.chat.safety import ChatScreen

ROWS = [{"question": f"What is {n}?", "answer": f"It is {n}.", "more": "x"} for n in range(6)]


def screen(*shown: str) -> ChatScreen:
    return ChatScreen(SafetyParams(harmful="word_list", shown=list(shown)))


def lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path, rows: list[dict], most: int = 100, *shown: str) -> list[Entry]:
    return read_knowledge(lines(path / "known.jsonl", rows), most, screen(*shown))


def test_every_kind_of_table_is_read(tmp_path: Path) -> None:
    rows = [row | {"intent": "ant", "source": "Book"} for row in ROWS]
    expected = [
        Entry(number, row["question"], row["answer"], "ant", "Book")
        for number, row in enumerate(rows, start=1)
    ]
    assert read(tmp_path, rows) == expected
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "known.parquet")
    assert read_knowledge(tmp_path / "known.parquet", 9, screen()) == expected
    table.to_pandas().to_csv(tmp_path / "known.csv", index=False)
    assert read_knowledge(tmp_path / "known.csv", 9, screen()) == expected


def test_what_names_no_source_is_from_its_row(tmp_path: Path) -> None:
    found = read(tmp_path, ROWS)
    assert (found[1].source, found[1].intent) == ("known.jsonl, row 2", None)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"answer": " "}, "row 3: answer: expected a word"),
        ({"question": "?!"}, "row 3: question: expected a word"),
        ({"answer": ["a"]}, "row 3: answer: expected text, found list"),
        ({"answer": "x" * 20_001}, "row 3: answer: expected at most 20000 characters"),
        ({"answer": "You fucker."}, "row 3: the answer holds a word that the screen"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: dict, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        read(tmp_path, [*ROWS[:2], ROWS[2] | row, *ROWS[3:]])


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"expected the knowledge of the service, found no"):
        read_knowledge(tmp_path / "known.csv", 9, screen())
    with pytest.raises(ContractError, match=r"expected a column 'answer', found question, answers"):
        read(tmp_path, [{"question": "a", "answers": "b"}])
    with pytest.raises(ContractError, match=r"at most 5 entries.*knowledge_entries"):
        read(tmp_path, ROWS, 5)
    with pytest.raises(ContractError, match=r"5 answers or more that differ .* found 4"):
        read(tmp_path, [*ROWS[:4], ROWS[0] | {"question": "Which?"}])
    with pytest.raises(ContractError, match=r"5 questions or more that differ .* found 1"):
        read(tmp_path, [row | {"question": "Hi" + "!" * n} for n, row in enumerate(ROWS)])
    (tmp_path / "known.pdf").touch()
    with pytest.raises(ContractError, match=r"ends in one of .csv"):
        read_knowledge(tmp_path / "known.pdf", 9, screen())


def test_personal_data_of_old_answers_are_masked_but_for_what_is_shown(tmp_path: Path) -> None:
    answer = {"answer": "Ada (ada@example.org) says: write to help@example.org."}
    found = read(tmp_path, [ROWS[0] | answer, *ROWS[1:]], 100, "help@example.org")
    assert found[0].answer == "Ada ([EMAIL]) says: write to help@example.org."
