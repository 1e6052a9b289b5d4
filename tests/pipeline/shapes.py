"""Ten shapes that people's data has, a few dozen rows each, as files for `fuseline init`."""

from __future__ import annotations

import csv
import io
import json
import random
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.data.sources.synthetic_media import clip, picture, sound

ROWS = 60
LABELS = ("north", "east", "south")
_NOUNS = ("harbour", "meadow", "tower", "bridge", "market", "orchard", "quarry", "valley")
_VERBS = ("sleeps", "glows", "waits", "listens", "turns", "fades", "rises", "hums")
_WORDS = {"north": "cold and blue", "east": "early and bright", "south": "warm and slow"}


@dataclass(frozen=True)
class Shape:
    """A kind of data set.

    Attributes:
        make: writes it into a folder and returns what `init` is given.
        source: the source that reads it.
        modalities: what it holds.
        task: kind and target of what is learnt of it.
    """

    make: Callable[[Path], Path]
    source: str
    modalities: tuple[str, ...]
    task: tuple[str, str | None] = ("classification", "label")


def label_of(row: int) -> str:
    return LABELS[row % len(LABELS)]


def text_of(row: int) -> str:
    """A sentence of its own, whose words tell the label."""
    rng = random.Random(f"text {row}")
    names = " ".join(rng.choices(_NOUNS, k=3))
    return f"the {names} {rng.choice(_VERBS)} {_WORDS[label_of(row)]} on day {row * 37 % 1000}"


def medium_of(medium: str, row: int) -> bytes:
    """A picture, a sound or a video of the label's."""
    rng, digit = random.Random(f"{medium} {row}"), row % len(LABELS)
    makers = {
        "image": lambda: picture(digit, 32, rng),
        "audio": lambda: sound(digit, rng),
        "video": lambda: clip(digit, 32, rng),
    }
    return makers[medium]()


def cells_of(row: int) -> dict[str, str]:
    rng = random.Random(f"cells {row}")
    return {
        "height": f"{rng.gauss(row % len(LABELS), 0.3):.3f}",
        "material": rng.choice(("oak", "steel", "glass")),
        "built": f"{rng.randrange(1950, 2020)}-{rng.randrange(1, 13):02d}-11",
    }


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    every = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(every[0]))
        writer.writeheader()
        writer.writerows(every)
    return path


def _texts(folder: Path) -> Path:
    lines = [json.dumps({"sentence": text_of(row), "topic": label_of(row)}) for row in range(ROWS)]
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "rows.jsonl"


def cyrillic_texts(folder: Path) -> Path:
    """Sentences of another script, one word of which tells the label."""
    rng = random.Random("cyrillic")
    words = ("дом", "мост", "рынок", "башня", "долина", "гавань", "поле", "сад")
    told = {"north": "север", "east": "восток", "south": "юг"}
    rows = [
        {
            "sentence": " ".join([*rng.sample(words, 3), told[label_of(row)], f"номер {row}"]),
            "topic": label_of(row),
        }
        for row in range(ROWS)
    ]
    return write_csv(folder / "rows.csv", rows)


def _media(medium: str, ending: str) -> Callable[[Path], Path]:
    """A table that names files of one medium, and their labels."""

    def make(folder: Path) -> Path:
        (folder / "files").mkdir(parents=True)
        rows = []
        for row in range(ROWS):
            name = f"files/{row:03d}.{ending}"
            (folder / name).write_bytes(medium_of(medium, row))
            rows.append({"file": name, "class": label_of(row)})
        return write_csv(folder / "rows.csv", rows)

    return make


def _table(folder: Path) -> Path:
    """Columns alone, with a data frame's index and a number to learn."""
    rows = [
        {"": row, **cells_of(row), "price": f"{row % len(LABELS) * 10 + row * 7 % 5}.5"}
        for row in range(ROWS)
    ]
    return write_csv(folder / "rows.csv", rows)


def _mixed(folder: Path) -> Path:
    """Each row lacks something."""
    (folder / "files").mkdir(parents=True)
    rows = []
    for row in range(ROWS):
        names = {}
        for medium, ending in {"image": "png", "audio": "wav", "video": "mp4"}.items():
            names[medium] = f"files/{row:03d}.{ending}" if (row + len(medium)) % 4 else ""
            if names[medium]:
                (folder / names[medium]).write_bytes(medium_of(medium, row))
        text = text_of(row) if row % 4 else ""
        rows.append(
            {"ticket_no": 1000 + row * 7 % ROWS, "words": text, **names, **cells_of(row)}
            | {"split_group": f"g{row // 2}", "kind": label_of(row)}
        )
    return write_csv(folder / "rows.csv", rows)


def _folders(folder: Path) -> Path:
    for row in range(ROWS):
        path = folder / label_of(row) / f"{row:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(medium_of("image", row))
    return folder


def _tar(folder: Path) -> Path:
    folder.mkdir(parents=True)
    with tarfile.open(folder / "shard-0.tar", "w") as tar:
        for row in range(ROWS):
            members = {
                "wav": medium_of("audio", row),
                "txt": text_of(row).encode(),
                "cls": label_of(row).encode(),
                "json": json.dumps({"height": float(cells_of(row)["height"])}).encode(),
            }
            for ending, content in members.items():
                member = tarfile.TarInfo(f"{row:05d}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return folder


def _parquet(folder: Path) -> Path:
    """Pictures inside, beside texts, and nothing that is a label."""
    folder.mkdir(parents=True)
    rows = {
        "picture": [medium_of("image", row) for row in range(ROWS)],
        "caption": [text_of(row) for row in range(ROWS)],
    }
    pq.write_table(pa.table(rows), folder / "rows.parquet")
    return folder / "rows.parquet"


def _hub(folder: Path) -> Path:
    """As `push_to_hub` writes it: a card, a folder of Parquet files whose names tell the splits."""
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("A set.\n")
    rows = {
        "image": [{"bytes": medium_of("image", row), "path": None} for row in range(ROWS)],
        "text": [text_of(row) for row in range(ROWS)],
        "label": [row % len(LABELS) for row in range(ROWS)],
    }
    pq.write_table(pa.table(rows), folder / "data" / "train-00000-of-00001.parquet")
    return folder


SHAPES = {
    "text": Shape(_texts, "manifest", ("text",)),
    "pictures": Shape(_media("image", "png"), "manifest", ("image",)),
    "sounds": Shape(_media("audio", "wav"), "manifest", ("audio",)),
    "videos": Shape(_media("video", "mp4"), "manifest", ("video",)),
    "table": Shape(_table, "manifest", ("tabular",), ("regression", "price")),
    "mixed": Shape(_mixed, "manifest", ("text", "image", "audio", "video", "tabular")),
    "folders": Shape(_folders, "image_folder", ("image",)),
    "tar": Shape(_tar, "webdataset", ("text", "audio", "tabular")),
    "parquet with bytes": Shape(_parquet, "manifest", ("text", "image"), ("retrieval", None)),
    "hub data set": Shape(_hub, "datasets", ("text", "image")),
}
