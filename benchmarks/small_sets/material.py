"""What the small sets are made of: real texts, pictures and sounds, and ways to write tables."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fuseline.config import read_yaml
from fuseline.data.sources import SOURCES
from fuseline.params.ingest import IngestParams

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = 120
# Of BANKING77's, far enough apart for so few rows.
INTENTS = ("card_arrival", "exchange_rate", "age_limit", "terminate_account")
EMOJI = ("Animals & Nature", "Food & Drink", "Flags")

Row = dict[str, Any]


@dataclass(frozen=True)
class SmallSet:
    """A data set.

    Attributes:
        what: is peculiar about it.
        make: writes it into a folder and returns what `init` is given.
        by_dvc: whether the stages are run by `dvc repro`, each in a process of its own.
    """

    what: str
    make: Callable[[Path], Path]
    by_dvc: bool = False


def outside_data(name: str) -> Path:
    """A folder or file of the data that tests use."""
    return Path(os.environ["FUSELINE_TEST_DATA"]) / name


@cache
def messages(count: int = ROWS, intents: Sequence[str] = INTENTS) -> list[tuple[str, str]]:
    """Customers' messages and their intents, in turn."""
    with (outside_data("banking77") / "train.csv").open(newline="", encoding="utf-8") as file:
        every = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    of_intent = [[pair for pair in every if pair[1] == intent] for intent in intents]
    return [of_intent[row % len(intents)][row // len(intents)] for row in range(count)]


@cache
def all_intents() -> tuple[str, ...]:
    return tuple(json.loads((outside_data("banking77") / "categories.json").read_text("utf-8")))


@cache
def statements() -> list[tuple[str, str]]:
    """Opinions and sentences of financial news, a hundred and twenty in the file's order."""
    path = outside_data("phrasebank") / "all-data.csv"
    with path.open(newline="", encoding="iso-8859-1") as file:
        rows = list(csv.reader(file, skipinitialspace=True))
    return [(label.strip(), text.strip()) for label, text in rows[:: len(rows) // ROWS][:ROWS]]


@cache
def tagged_sentences() -> list[tuple[list[str], list[str]]]:
    """Words and their tags, of sentences with a name in them."""
    text = (outside_data("wnut17") / "wnut17train.conll").read_text(encoding="utf-8")
    sentences = []
    for block in text.replace("\t\n", "\n").split("\n\n"):
        pairs = [line.split("\t") for line in block.splitlines() if line.strip()]
        words, tags = ([pair[place] for pair in pairs] for place in (0, 1))
        if 4 < len(words) < 30 and set(tags) != {"O"}:
            sentences.append((words, tags))
    return sentences[:ROWS]


@cache
def questions() -> list[Row]:
    lines = (outside_data("stackfaq") / "faq.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@cache
def ratings() -> list[list[str]]:
    """User, film, rating and time, of people with several."""
    path = outside_data("movietweetings") / "ratings.dat"
    rows = [line.split("::") for line in path.read_text(encoding="utf-8").splitlines()]
    return rows[:200]


@cache
def recordings(count: int = ROWS) -> list[tuple[str, str, bytes]]:
    """Digit, speaker and WAV of spoken digits, three digits in turn."""
    folder = outside_data("spoken_digits") / "recordings"
    names = sorted(path.name for path in folder.glob("[0-2]_*.wav"))
    of_digit = [[name for name in names if name.startswith(f"{digit}_")] for digit in range(3)]
    chosen = [of_digit[row % 3][row // 3 * 7 % 300] for row in range(count)]
    return [(name[0], name.split("_")[1], (folder / name).read_bytes()) for name in chosen]


@cache
def emoji(count: int = ROWS) -> list[tuple[bytes, str, str]]:
    """PNG, name and category of OpenMoji's pictures, three categories in turn."""
    section = read_yaml(ROOT / "params.yaml")["ingest"] | {"source": "emoji"}
    section["emoji"] = section["emoji"] | {"image_size": 48}
    rows: dict[str, list[tuple[bytes, str, str]]] = {category: [] for category in EMOJI}
    for row in SOURCES["emoji"](IngestParams.model_validate(section)).rows():
        if row.label in rows and len(rows[row.label]) < count and row.image and row.text:
            rows[row.label].append((row.image.bytes, row.text, row.label))
        if min(map(len, rows.values())) * len(EMOJI) >= count:
            break
    return [rows[EMOJI[row % len(EMOJI)]][row // len(EMOJI)] for row in range(count)]


def number(name: str, row: int) -> random.Random:
    """The generator of one cell."""
    return random.Random(f"{name} {row}")


def table(
    path: Path,
    rows: Iterable[Mapping[str, Any]],
    separator: str = ",",
    encoding: str = "utf-8",
    end: str = "\n",
) -> Path:
    """Write separated values."""
    every = list(rows)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(every[0]), delimiter=separator, lineterminator=end)
    writer.writeheader()
    writer.writerows(every)
    return put(path, file.getvalue().encode(encoding))


def json_lines(path: Path, rows: Iterable[Row]) -> Path:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return put(path, lines.encode())


def parquet(path: Path, rows: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def put(path: Path, content: bytes) -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def converted(png: bytes, kind: str, **options: Any) -> bytes:
    """A picture in another format, by Pillow's name."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(file, kind, **options)
    return file.getvalue()
