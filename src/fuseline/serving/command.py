"""What `fuseline predict` and `fuseline search` do with their options."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from fuseline.contracts.durable import put
from fuseline.data.sources import RawRow
from fuseline.errors import ConfigError
from fuseline.serving.cleaning import Refused
from fuseline.serving.predict import (
    blocks,
    print_answers,
    refused_of,
    tell_refused,
    write_answers,
)
from fuseline.serving.predictor import Options, Predictor
from fuseline.serving.rows import ASKED, Request, one_row, opened
from fuseline.serving.search import FOUND, Index, Space
from fuseline.serving.writers import JsonLines, as_objects, writer_of

NOTHING_ASKED = (
    "expected rows to answer, found none. Name a file, a folder or a pattern, `-` for standard"
    " input, or give one row:\n"
    "  fuseline predict rows.csv -o answers.csv\n"
    "  fuseline predict pictures/ -o answers.jsonl\n"
    '  fuseline predict --text "a text" --image picture.jpg'
)

ONE_IS_PRINTED = (
    "--output: expected a table of rows, found one row by options, whose answer is printed. Leave"
    " --output out."
)

LOG_NEEDS_OUTPUT = (
    "--log: expected a table of rows and --output, by which a run that was killed goes on with"
    " both. Add -o answers.csv."
)

NOTHING_SOUGHT = (
    "expected something to look for, found none. Name a file of rows, or give one row:\n"
    '  fuseline search index.parquet --text "a text"\n'
    "  fuseline search index.parquet --image picture.jpg\n"
    "  fuseline search index.parquet rows.csv -o found.csv"
)


@dataclass(frozen=True)
class Asked:
    """Which model answers, and how; see `Options`."""

    model: Path
    int8: bool
    probabilities: bool
    neighbours: bool
    threads: int
    vectors: bool = False
    controls: Sequence[str] = ()

    def predictor(self) -> Predictor:
        """The model."""
        options = Options(
            "int8" if self.int8 else "onnx",
            self.threads,
            self.probabilities,
            self.neighbours,
            self.vectors,
            dict(_pair(one, "--control", "NAME=VALUE") for one in self.controls),
        )
        return Predictor(self.model, options)


def answer_rows(
    asked: Asked,
    path: str,
    output: Path | None,
    columns: Sequence[str],
    source: str,
    encoding: str,
    log: Path | None,
) -> bool:
    """Answer every row of an input; whether none could be answered.

    Raises:
        ConfigError: the input or an option is wrong.
    """
    if log and output is None:
        raise ConfigError(LOG_NEEDS_OUTPUT)
    predictor = asked.predictor()
    request = Request(path, source, _columns(columns), encoding)
    with opened(request, predictor.contract) as given:
        if output is None:
            counts = print_answers(predictor, given.source)
        else:
            counts = write_answers(predictor, given, request, output, log)
    if output is not None:
        print(f"{output}: {counts.answered} rows answered.")
        if counts.refused:
            print(f"{refused_of(output)}: {counts.refused} rows refused, each with its reason.")
    return not counts.answered


@dataclass(frozen=True)
class OneRow:
    """A row that options describe: its texts, its media by modality, its cells `COLUMN=VALUE`."""

    texts: Sequence[str]
    media: Mapping[str, Sequence[Path]]
    cells: Sequence[str]

    def read(self, nothing: str) -> RawRow:
        """The row.

        Raises:
            ConfigError: it holds nothing, which `nothing` says, or a file cannot be read.
        """
        given = dict(_pair(cell, "--cell", "COLUMN=VALUE") for cell in self.cells)
        if not (self.texts or given or any(self.media.values())):
            raise ConfigError(nothing)
        return one_row(self.texts, self.media, given)


def answer_one(asked: Asked, row: OneRow) -> bool:
    """Answer the row that the options describe; whether it was refused.

    Raises:
        ConfigError: nothing was asked, or a file cannot be read.
    """
    given = row.read(NOTHING_ASKED)
    predictor = asked.predictor()
    cleaned = predictor.clean(given)
    if isinstance(cleaned, Refused):
        print(f"refused: {cleaned.reason}: {cleaned.detail}", file=sys.stderr)
        return True
    (answer,) = as_objects(predictor.answer([cleaned]))
    if changes := cleaned.record["sanitised"]:
        print(f"cleaned as in training: {', '.join(changes)}", file=sys.stderr)
    print(described(answer) if sys.stdout.isatty() else json.dumps(answer, ensure_ascii=False))
    return False


@dataclass(frozen=True)
class Search:
    """What is looked for: in which index, how many rows of it, by which of their modalities (see
    `Space`), and where the rows that are found go; standard output where that is None."""

    index: Path
    count: int
    by: Sequence[str]
    output: Path | None


def search_rows(asked: Asked, search: Search, queries: str | OneRow) -> bool:
    """Find the rows of an index that lie nearest to queries; whether none was found.

    Args:
        asked: the model, which gives vectors.
        search: what is looked for.
        queries: where rows are read, or one row.

    Raises:
        ConfigError: an option is wrong, or the index is that of another model.
    """
    predictor = asked.predictor()
    contract = predictor.contract
    index = Index(search.index, contract, Space.of(contract, search.by))
    if isinstance(queries, OneRow):
        rows = [queries.read(NOTHING_SOUGHT)]
        return not _tell(_found(predictor, index, rows, search.count), search.output)
    with opened(Request(queries), contract) as given:
        rows_of = given.source.rows()
        return not _tell(_found(predictor, index, rows_of, search.count), search.output)


def _tell(found: Iterable[pa.Table], output: Path | None) -> int:
    """Write rows that were found, or print them; how many they are."""
    count = 0
    if output is None:
        for table in found:
            print(JsonLines.text(table), end="", flush=True)
            count += table.num_rows
        return count
    make = writer_of(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.partial")
    with make(partial, FOUND) as writer:
        for table in found:
            writer.write(table)
            count += table.num_rows
    put(partial, output)
    print(f"{output}: {count} rows found.")
    return count


def _found(
    predictor: Predictor, index: Index, rows: Iterable[RawRow], count: int
) -> Iterator[pa.Table]:
    """What queries find, some at a time; why others find nothing goes to standard error."""
    for block in blocks(predictor, rows):
        tell_refused(block)
        yield index.search(block.answers, count)


def described(answer: Mapping[str, Any]) -> str:
    """An answer for people, a line a figure."""
    shown = {name: value for name, value in answer.items() if name not in ("row", "id")}
    width = max(len(name) for name in shown) + 2
    return "\n".join(f"{name:<{width}}{_shown(value)}" for name, value in shown.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda pair: -pair[1])
        return ", ".join(f"{name} {share:.3f}" for name, share in ordered)
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return "-" if value is None else str(value)


def _columns(given: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in given:
        name, column = _pair(pair, "--column", "FIELD=NAME")
        if name not in ASKED:
            raise ConfigError(f"--column: expected one of {', '.join(ASKED)}, found '{name}'.")
        found.setdefault(name, []).extend([column] if column else [])
    return found


def _pair(given: str, option: str, form: str) -> tuple[str, str]:
    name, parted, value = given.partition("=")
    if not parted or not name:
        raise ConfigError(f"{option}: expected {form}, found '{given}'.")
    return name, value
