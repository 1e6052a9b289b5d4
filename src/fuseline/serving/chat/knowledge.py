"""The knowledge of a service: questions, their answers, and where these are from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuseline.data.sources.cells import Record
from fuseline.data.sources.manifest_files import MANIFEST_FILES, open_table, table_ending
from fuseline.data.sources.table_file import BadRecord
from fuseline.errors import ContractError
from fuseline.registry import suggestion
from fuseline.serving.chat.safety import ChatScreen
from fuseline.serving.chat.wording import words

NEEDED, KNOWN = ("question", "answer"), ("question", "answer", "intent", "source")
# Of a question or an answer.
MOST_CHARACTERS = 20_000
# Fewer say nothing of how alike a question may be to what does not answer it.
LEAST_ENTRIES = 5


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        row: of the file, counted from 1 without the header.
        intent: that it belongs to, if it says so.
        source: as it is named to people; the file and the row where it says nothing.
    """

    row: int
    question: str
    answer: str
    intent: str | None
    source: str


def read_knowledge(path: Path, most: int, screen: ChatScreen) -> list[Entry]:
    """Read the file: CSV, TSV, JSON, JSONL or Parquet.

    Args:
        path: of the file, with the columns `question` and `answer`, and `intent` and `source`
            where it has them; others are not read.
        most: entries.
        screen: of the answers; personal data in them are masked.

    Raises:
        ContractError: the file, a column or a row is wrong; the row is named.
    """
    if not path.is_file():
        raise ContractError(
            f"{path}: expected the knowledge of the service, found no file. Write it with the"
            " columns question, answer, and if you like intent and source."
        )
    if table_ending(path) not in MANIFEST_FILES:
        endings = ", ".join(MANIFEST_FILES)
        raise ContractError(f"{path}: expected a file that ends in one of {endings}.")
    entries = list(_entries(path, most, screen))
    for name in NEEDED:
        found = len({tuple(words(getattr(entry, name))) for entry in entries})
        if found < LEAST_ENTRIES:
            raise ContractError(
                f"{path}: expected {LEAST_ENTRIES} {name}s or more that differ in their words,"
                f" found {found}. Of fewer nothing tells what is no answer. Add some."
            )
    return entries


def _entries(path: Path, most: int, screen: ChatScreen) -> Iterator[Entry]:
    table = open_table(path, _columns(path))
    for row, record in enumerate(table.records(), start=1):
        if row > most:
            raise ContractError(
                f"{path}: expected at most {most} entries, found more. Shorten it, or raise"
                " service.limits.knowledge_entries."
            )
        if isinstance(record, BadRecord):
            raise ContractError(f"{path}: row {row}: {record.detail} Correct the row.")
        yield _entry(path, row, record, screen)


def _columns(path: Path) -> Sequence[str]:
    found = open_table(path, []).found_columns()
    for name in NEEDED:
        if name not in found:
            raise ContractError(
                f"{path}: expected a column '{name}', found {', '.join(found)}."
                f"{suggestion(name, found)} Rename it."
            )
    return [name for name in KNOWN if name in found]


def _entry(path: Path, row: int, record: Record, screen: ChatScreen) -> Entry:
    values = {name: _text(path, row, name, record.get(name)) for name in KNOWN}
    for name in NEEDED:
        if not words(values[name]):
            raise ContractError(
                f"{path}: row {row}: {name}: expected a word, found none. Fill it, or remove the"
                " row."
            )
        if screen.is_harmful(values[name]):
            raise ContractError(
                f"{path}: row {row}: the {name} holds a word that the screen"
                " service.safety.harmful refuses. Word it otherwise."
            )
    return Entry(
        row,
        screen.published(values["question"]),
        screen.published(values["answer"]),
        values["intent"] or None,
        values["source"] or f"{path.name}, row {row}",
    )


def _text(path: Path, row: int, column: str, value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise ContractError(
            f"{path}: row {row}: {column}: expected text, found {type(value).__name__}."
        )
    text = (value or "").strip()
    if len(text) > MOST_CHARACTERS:
        raise ContractError(
            f"{path}: row {row}: {column}: expected at most {MOST_CHARACTERS} characters, found"
            f" {len(text)}. Shorten it, or make several entries of it."
        )
    return text
