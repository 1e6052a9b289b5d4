"""Mutated tables through `ingest`: every line ends as a row, as part of one, or in quarantine.

Small tables of every text format are written as people and programs write them, and damaged as
they do: quotes, separators, encodings, line ends, cells moved. Each row has a mark of its own in
its text, so that the file itself tells what has to come out. Every case follows from the seed and
its number, so that one that fails can be run again alone.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.mutations import mutated
from fuseline.config import read_yaml
from fuseline.contracts import EXAMPLES, QUARANTINE, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.errors import FuselineError
from fuseline.params.ingest import IngestParams

ROOT = Path(__file__).resolve().parent.parent
SEED = 20_018
NUM_TABLES, TABLES_PER_LINE = 20_000, 1000
ROWS = 24
COLUMNS = ("text", "label", "price")
MARK = re.compile(r"R\d{3}Z")

TEXTS = [
    "plain words {}",
    "{} good, cheap, fine",
    'she said "{}" twice',
    "caf\u00e9 {} cr\u00e8me",
    "{}; and | more\tof it",
    "two\nlines {}",
    "{} a\r\nb\n\nc, d",
    "\u4f60\u597d {}",
    "{}",
]
LABELS = ["good", "bad", "dull"]
PRICES = ["1.5", "2", "", "1e3", "n/a", "3,5"]
SEPARATORS = {"csv": [",", ",", ",", ";", "|", "\t"], "tsv": ["\t"]}
ENCODINGS = ["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"]

Lines = list[str]


@dataclass
class Outcome:
    """What became of some tables.

    Attributes:
        counts: tables, rows and lines by what they ended as.
        faults: one line for each table of which something was lost, or that crashed.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def fuzz_tables(numbers: range, seed: int = SEED) -> Outcome:
    """Ingest one mutated table for each number, which also decides how it is mutated."""
    outcome = Outcome()
    for number in numbers:
        rng = random.Random(f"table {seed} {number}")
        with tempfile.TemporaryDirectory(prefix="fuseline-tables-") as folder:
            try:
                fault = _ingested(Path(folder), rng, outcome.counts)
            except Exception as error:  # noqa: BLE001
                fault = f"{type(error).__name__}: {error}"
        outcome.counts["tables"] += 1
        if fault:
            outcome.faults.append(f"table {number}: {fault}")
    return outcome


def _ingested(folder: Path, rng: random.Random, counts: Counter[str]) -> str | None:
    """What is wrong with how a table came out; None where nothing is."""
    name, text, path = _table(folder, rng)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            metrics = ingest_examples(_params(path), folder / "e", folder / "q", raw=folder)
    except FuselineError as error:
        counts["tables refused as a whole"] += 1
        return None if str(error).rstrip()[-1:] in ".?" else f"no sentence: {error}"
    kept = read_table(folder / "e", EXAMPLES, "examples").to_pylist()
    refused = read_table(folder / "q", QUARANTINE, "quarantine").to_pylist()
    counts["rows kept"] += len(kept)
    counts["rows quarantined"] += len(refused)
    positions = sorted(row["source_row"] for row in kept + refused)
    if positions != list(range(metrics["rows_in"])):
        return f"rows {positions} of {metrics['rows_in']}"
    return None if text is None else _lost(name, text, metrics, kept, refused, counts)


def _lost(
    name: str,
    text: str,
    metrics: dict[str, Any],
    kept: list[Any],
    refused: list[Any],
    counts: Counter[str],
) -> str | None:
    """What the file holds and neither table does."""
    lines = _lines(name, text)
    figures = metrics["lines"]
    if name.endswith(("csv", "tsv", "jsonl")):
        parts = figures["header"] + figures["blank"] + figures["further_lines_of_rows"]
        if figures["all"] != len(lines) or figures["all"] != parts + metrics["rows_in"]:
            return f"{len(lines)} lines, {figures}, {metrics['rows_in']} rows"
    told = "".join(line for line in lines[figures["header"] :] if not _is_without_text(line))
    found = {*MARK.findall(" ".join([*map(_shown, kept), *(row["raw"] for row in refused)]))}
    if lost := {*MARK.findall(told)} - found:
        return f"lost {sorted(lost)}"
    for row in kept:
        together = set(MARK.findall(row["text"] or ""))
        if len(together) > 1 and not any(together <= set(MARK.findall(line)) for line in lines):
            # Two faults in one row can make it the first half of a cell, as nothing can tell.
            counts["texts that two rows became"] += 1
    return None


def _is_without_text(line: str) -> bool:
    """Whether the line is an object whose text has another name by now, and so is not mapped."""
    try:
        value = json.loads(line, strict=False)
    except ValueError:
        return False
    return isinstance(value, dict) and "text" not in value


def _lines(name: str, text: str) -> Lines:
    ends = "\n" if name.endswith("jsonl") else "\r\n|\r|\n"
    return re.findall(f"(?s)(?:(?!{ends}).)*(?:{ends})|(?:(?!{ends}).)+$", text)


def _shown(row: dict[str, Any]) -> str:
    return " ".join(filter(None, [row["text"], row["label"], *dict(row["tabular"] or ()).values()]))


def _table(folder: Path, rng: random.Random) -> tuple[str, str | None, Path]:
    """Write a table; its ending, its text (None where its bytes were damaged too), its path."""
    name = rng.choice(["csv", "csv", "csv", "tsv", "jsonl", "json"])
    text = (_separated if name in SEPARATORS else _json)(name, rng)
    known: str | None = text
    encoding = rng.choice(ENCODINGS)
    content = text.encode(encoding, "replace")
    if encoding == "cp1252" and not text.isascii():
        known = None
    if rng.random() < 0.1:
        content, known = mutated(content, b'",\n\0\xff', rng), None
    path = folder / f"rows.{name}"
    if rng.random() < 0.1:
        path, content = folder / f"rows.{name}.gz", gzip.compress(content, 1)
    path.write_bytes(content)
    return name, known, path


def _rows(rng: random.Random) -> list[list[str]]:
    return [
        [rng.choice(TEXTS).format(f"R{n:03d}Z"), rng.choice(LABELS), rng.choice(PRICES)]
        for n in range(ROWS)
    ]


def _separated(name: str, rng: random.Random) -> str:
    separator, end = rng.choice(SEPARATORS[name]), rng.choice(["\n", "\n", "\r\n", "\r"])
    always, space = rng.random() < 0.3, rng.choice(["", "", "", " "])

    def cell(value: str) -> str:
        plain = not always and not any(mark in value for mark in f'"\r\n{separator}')
        return value if plain else '"' + value.replace('"', '""') + '"'

    lines = [(separator + space).join(map(cell, row)) + end for row in _rows(rng)]
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        lines = rng.choice(MUTATIONS)(lines, separator, rng)
    return separator.join(COLUMNS) + end + "".join(lines)


def _json(name: str, rng: random.Random) -> str:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in _rows(rng)]
    ascii_only = rng.random() < 0.5
    if name == "json":
        return json.dumps(rows, ensure_ascii=ascii_only, indent=rng.choice([None, 1]))
    lines = [json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows]
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        lines = rng.choice(MUTATIONS)(lines, ",", rng)
    return "".join(lines)


def _at(lines: Lines, rng: random.Random) -> tuple[int, int]:
    """A line, and a place in it."""
    line = rng.randrange(len(lines))
    return line, rng.randrange(len(lines[line]) + 1)


def _insert(*pieces: str) -> Callable[[Lines, str, random.Random], Lines]:
    def mutate(lines: Lines, separator: str, rng: random.Random) -> Lines:
        line, place = _at(lines, rng)
        piece = rng.choice(pieces) or separator
        return _replaced(lines, line, lines[line][:place] + piece + lines[line][place:])

    return mutate


def _remove(*pieces: str) -> Callable[[Lines, str, random.Random], Lines]:
    def mutate(lines: Lines, separator: str, rng: random.Random) -> Lines:
        piece = rng.choice(pieces) or separator
        having = [line for line, text in enumerate(lines) if piece in text]
        if not having:
            return lines
        line = rng.choice(having)
        return _replaced(lines, line, lines[line].replace(piece, "", 1))

    return mutate


def _replaced(lines: Lines, line: int, text: str) -> Lines:
    return [*lines[:line], text, *lines[line + 1 :]] if text else lines


def _open_cell(lines: Lines, separator: str, rng: random.Random) -> Lines:
    """A quote at the start of a cell."""
    line = rng.randrange(len(lines))
    cells = lines[line].split(separator)
    place = rng.randrange(len(cells))
    cells[place] = f'"{cells[place]}'
    return _replaced(lines, line, separator.join(cells))


def _open_and_close(lines: Lines, separator: str, rng: random.Random) -> Lines:
    """A quote before the text of one row, and one behind that of a later row."""
    first = rng.randrange(len(lines))
    last = min(len(lines) - 1, first + rng.choice([1, 2, 5, 12]))
    text, *others = lines[last].split(separator)
    lines = _replaced(lines, last, separator.join([f'{text}"', *others]))
    return _replaced(lines, first, f'"{lines[first]}')


def _swap_texts(lines: Lines, separator: str, rng: random.Random) -> Lines:
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    one, *ones = lines[first].split(separator)
    two, *twos = lines[second].split(separator)
    if first == second:
        return lines
    lines = _replaced(lines, first, separator.join([two, *ones]))
    return _replaced(lines, second, separator.join([one, *twos]))


def _other_separator(lines: Lines, separator: str, rng: random.Random) -> Lines:
    line = rng.randrange(len(lines))
    return _replaced(lines, line, lines[line].replace(separator, rng.choice(",;\t|")))


def _cut(lines: Lines, separator: str, rng: random.Random) -> Lines:
    del separator
    line, place = _at(lines, rng)
    return _replaced(lines, line, lines[line][:place])


def _move(lines: Lines, separator: str, rng: random.Random) -> Lines:
    del separator
    line = lines.pop(rng.randrange(len(lines)))
    lines.insert(rng.randrange(len(lines) + 1), line)
    return lines


def _other_end(lines: Lines, separator: str, rng: random.Random) -> Lines:
    del separator
    line = rng.randrange(len(lines))
    end = rng.choice(["\n", "\r\n", "\r", "\n\n", ""])
    return _replaced(lines, line, lines[line].rstrip("\r\n") + end)


MUTATIONS: tuple[Callable[[Lines, str, random.Random], Lines], ...] = (
    _insert('"'),
    _insert('"', '""', "'", "\n", "\r", ""),
    _insert("\0", "\ufeff", "\u200b", "\\", "\u2028", "{", "}", "[", " ", "\t"),
    _remove('"'),
    _remove("", "\n", "\r\n", " "),
    _open_cell,
    _open_cell,
    _open_and_close,
    _open_and_close,
    _swap_texts,
    _other_separator,
    _cut,
    _move,
    _other_end,
)


@cache
def _section() -> dict[str, Any]:
    section = read_yaml(ROOT / "params.yaml")["ingest"]
    harmful = section["safety"]["harmful"] | {"screen": "none"}
    return section | {
        "source": "manifest",
        "min_label_rows": 1,
        "max_quarantined_share": 1.0,
        "safety": {"personal_data": "keep", "harmful": harmful},
    }


def _params(path: Path) -> IngestParams:
    section = _section()
    columns = section["manifest"]["columns"] | {"image": None, "tabular": ["price"]}
    manifest = section["manifest"] | {"path": str(path), "columns": columns}
    return IngestParams.model_validate(section | {"manifest": manifest})


def main(num_tables: int = NUM_TABLES) -> None:
    """Run every table, print what they ended as, fail where anything was lost."""
    outcome = Outcome()
    for start in range(0, num_tables, TABLES_PER_LINE):
        numbers = range(start, min(start + TABLES_PER_LINE, num_tables))
        part = fuzz_tables(numbers)
        outcome.counts += part.counts
        outcome.faults += part.faults
        print(f"{numbers.stop} tables: {len(outcome.faults)} faults", flush=True)
    for name, count in sorted(outcome.counts.items()):
        print(f"{name:<40}{count:>10}")
    if outcome.faults:
        sys.exit("\n".join([f"{len(outcome.faults)} faults:", *outcome.faults[:100]]))


if __name__ == "__main__":
    main()
