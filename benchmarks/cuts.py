"""Small data sets cut from the built-in source, beside the linear twin: never below it?

Pictures and names of emoji in one language, where asked for with a spoken digit, drowned in noise
now and then, that tells the class. The recordings are those of the Free Spoken Digit Dataset in
`$FUSELINE_TEST_DATA/spoken_digits`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.salts import table
from benchmarks.spoken_numbers import sound
from fuseline.config import parse_section, read_yaml
from fuseline.data.dataset import load_data
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.extractors import EXTRACTORS
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.data.sources.base import RawRow
from fuseline.data.sources.emoji import EmojiSource
from fuseline.evaluation.twins.frozen import frozen_blocks
from fuseline.evaluation.twins.tasks import twins_of
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.tasks.labelled import Examples, build_tasks, with_labels
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.training.finetune import finetune
from fuseline.learning.training.pretrain import pretrain
from fuseline.params.whole import SECTIONS, set_keys

PARAMS_FILE = Path(__file__).resolve().parent.parent / "params.yaml"
SALTS = range(5)
SEED = 11
BATCH = 256
# Macro-F1 of the model, of the same without its probe, and of the twin.
COLUMNS = ("model", "alone", "twin", "model - twin")


@dataclass(frozen=True)
class Cut:
    """A small set.

    Attributes:
        rows: at most.
        language: of the names.
        modalities: text and image, or those and audio.
        ratio: rows of the commonest class over those of the rarest; the steps between are even.
    """

    rows: int
    language: str = "en"
    modalities: tuple[str, ...] = ("text", "image")
    ratio: float = 1.0


THREE = ("text", "image", "audio")
CUTS = {
    "en-100": Cut(100),
    "en-400": Cut(400),
    "en-800-uneven": Cut(800, ratio=20.0),
    "fr-200": Cut(200, "fr"),
    "fr-800": Cut(800, "fr"),
    "ru-400": Cut(400, "ru"),
    "fr-200-uneven": Cut(200, "fr", ratio=20.0),
    "en-200-sounds": Cut(200, modalities=THREE),
    "fr-400-sounds": Cut(400, "fr", THREE),
    "fr-800-sounds-uneven": Cut(800, "fr", THREE, ratio=20.0),
}


def main(
    names: Iterable[str] = CUTS, salts: Sequence[int] = SALTS, changes: dict[str, Any] | None = None
) -> None:
    """Run each cut with each split salt; print a line each, then means as Markdown.

    Args:
        names: of `CUTS`.
        salts: of the splits.
        changes: params other than the committed ones.
    """
    figures: dict[str, list[list[float]]] = {}
    for name in names:
        for salt in salts:
            with tempfile.TemporaryDirectory(prefix="fuseline-") as folder:
                found = measured(Path(folder), CUTS[name], salt, changes or {})
            figures.setdefault(name, []).append(found)
            print(json.dumps({"cut": name, "salt": salt, "figures": found}), flush=True)
    print(table(figures, COLUMNS))


def measured(root: Path, cut: Cut, salt: int, changes: dict[str, Any]) -> list[float]:
    """What a cut gives with one salt, as in `COLUMNS`."""
    params = prepare(root, cut, salt, changes)
    train(root, params)
    model, alone, twin = scores(root, params)
    return [model, alone, twin, model - twin]


def prepare(root: Path, cut: Cut, salt: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Write the cut's rows and all tables made of them; its params by section."""
    manifest = write_cut(root / "raw", cut)
    params = params_of(cut, manifest, salt, changes)
    ingest_examples(params["ingest"], root / "examples", root / "quarantine", raw=root / "raw")
    tokenize_examples(root / "examples", root / "tokens", root / "tokenizer", params["tokenize"])
    for name, extract in EXTRACTORS.items():
        chosen = getattr(params["extract_features"], name)
        extract(root / "examples", root / "features" / name, chosen, "fp32")
    return params


def params_of(cut: Cut, manifest: Path, salt: int, changes: dict[str, Any]) -> dict[str, Any]:
    """The committed params, but for the source, the modalities, the salt and the changes."""
    content = read_yaml(PARAMS_FILE)
    columns = {"id": "id", "text": "text", "image": "image", "label": "label", "group": "group"}
    epsilon = {f"{name}_feature": 0.8 for name in cut.modalities if name != "text"}
    for section in ("adversarial_finetune", "evaluate.robustness", "pretrain.adversarial"):
        set_keys(content, {f"{section}.attack.epsilon": {"text_embedding": 0.1, **epsilon}})
    set_keys(
        content,
        {
            "base.modalities": list(cut.modalities),
            "base.num_threads": 1,
            "base.precision": "fp32",
            "ingest.source": "manifest",
            "ingest.manifest.path": str(manifest),
            "ingest.split.salt": salt,
        }
        | {f"ingest.manifest.columns.{name}": column for name, column in columns.items()}
        | ({"ingest.manifest.columns.audio": "audio"} if "audio" in cut.modalities else {})
        | changes,
    )
    return {name: parse_section(content, name, kind) for name, kind in SECTIONS.items()}


def train(root: Path, params: dict[str, Any]) -> None:
    """Pre-train and fine-tune."""
    base = params["base"]
    pretrain(
        root / "tokens",
        root / "tokenizer",
        root / "features",
        root / "pretrained",
        params=params["pretrain"],
        base=base,
        work=root / "work" / "pretrain",
    )
    finetune(
        root / "pretrained",
        root / "examples",
        root / "tokens",
        root / "features",
        root / "finetuned",
        params=params["finetune"],
        base=base,
        work=root / "work" / "finetune",
    )


def scores(root: Path, params: dict[str, Any]) -> tuple[float, float, float]:
    """Macro-F1 on the test split: of the model, of the same without its probe, and of the twin."""
    tokenizer = FuselineProcessor.from_pretrained(root / "finetuned").tokenizer
    base = params["base"]
    rows = load_data(
        root / "tokens", root / "features", base.modalities, pad_token_id=tokenizer.pad_token_id
    )
    models = [
        FuselineForTasks.from_pretrained(root / "finetuned", **changes).eval()
        for changes in ({}, {"probed": False})
    ]
    entries = models[0].config.tasks
    data = with_labels(rows, Examples(root / "examples", rows, tokenizer), entries)
    (task,) = build_tasks(entries)
    found = [predict(model, [task], data.select("test"), BATCH)[0] for model in models]
    own, alone = (task.scores(one.outputs, one.data)["macro_f1"] for one in found)
    blocks = frozen_blocks(root / "tokenizer", root / "features", data, base)
    return own, alone, twins_of(task, data, blocks, [])["twin"]["macro_f1"]


@cache
def _emoji(language: str) -> list[RawRow]:
    content = read_yaml(PARAMS_FILE)
    set_keys(content, {"ingest.emoji.languages": [language]})
    source = EmojiSource(parse_section(content, "ingest", SECTIONS["ingest"]))
    rows = [row for row in source.rows() if not row.problems and row.text and row.image]
    random.Random(SEED).shuffle(rows)
    return rows


def write_cut(folder: Path, cut: Cut) -> Path:
    """Write the cut's media and manifest; every salt cuts the same rows."""
    (folder / "media").mkdir(parents=True)
    rows = list(chosen(_emoji(cut.language), cut))
    labels = sorted({str(row.label) for row in rows})
    speech = _speech(labels) if "audio" in cut.modalities else {}
    manifest = folder / "manifest.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("id", "text", "image", "audio", "label", "group"))
        writer.writeheader()
        for row in rows:
            writer.writerow(_written(row, folder, speech))
    return manifest


def chosen(rows: Sequence[RawRow], cut: Cut) -> Iterator[RawRow]:
    """As many of each class as its share of the cut says; the commonest class stays so."""
    by_label: dict[str, list[RawRow]] = {}
    for row in rows:
        by_label.setdefault(str(row.label), []).append(row)
    names = sorted(by_label, key=lambda name: (-len(by_label[name]), name))
    weights = np.geomspace(cut.ratio, 1.0, len(names))
    for name, share in zip(names, weights / weights.sum(), strict=True):
        yield from by_label[name][: max(6, round(cut.rows * share))]


def _written(row: RawRow, folder: Path, speech: dict[str, list[Path]]) -> dict[str, str]:
    assert row.example_id and row.text and row.label and row.group and row.image
    name = row.example_id.replace(":", "-")
    cells = {"id": name, "text": row.text, "label": row.label, "group": row.group}
    cells["image"] = f"media/{name}.png"
    (folder / cells["image"]).write_bytes(row.image.bytes)
    if speech:
        cells["audio"] = f"media/{name}.wav"
        samples, rate = soundfile.read(speech[row.label].pop(), dtype="float32")
        soundfile.write(folder / cells["audio"], sound(samples, random.Random(name)), rate)
    return cells


def _speech(labels: Sequence[str]) -> dict[str, list[Path]]:
    """Recordings by label, each of the digit that counts it; none is used twice."""
    data = os.environ.get("FUSELINE_TEST_DATA")
    if not data:
        sys.exit("cuts: set FUSELINE_TEST_DATA to the folder that holds spoken_digits/.")
    recordings = Path(data) / "spoken_digits" / "recordings"
    found = {label: sorted(recordings.glob(f"{d}_*.wav")) for d, label in enumerate(labels)}
    for label, paths in found.items():
        random.Random(f"{SEED} {label}").shuffle(paths)
    return found


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CUTS), help="cuts; all by default")
    parser.add_argument("--salts", type=int, default=len(SALTS), help="number of split salts")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parsed()
    main(arguments.names, range(arguments.salts))
