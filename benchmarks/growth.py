"""What one per cent more rows costs: time of the extraction, bytes in DVC's cache.

The stages' own commands run on manifest files with generated pictures, process start included:
first on one file, then on it and a second one. DVC caches files by their content, so that its
cache grows by the files whose hash is new.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from benchmarks.workspace import ROOT
from fuseline.contracts import hash_file

STAGES = ("ingest", "tokenize", "extract_features")
TABLES = (
    "examples",
    "quarantine",
    "tokens",
    "tokenizer",
    "features/image",
)
PICTURE_PIXELS = 224
# Blotches of this many pixels give JPEGs of 10 to 20 kB.
BLOTCH_PIXELS = 6
NUM_LABELS = 10


@dataclass(frozen=True)
class Measured:
    """Seconds by stage, of the clock and of all processors, and the size in bytes of every file
    of the tables by its hash."""

    wall: dict[str, float]
    busy: dict[str, float]
    files: dict[str, int]


def main(rows: int = 20_000, share: float = 0.01, encoder: str = "efficientnet_lite0") -> None:
    """Print the cost of `share` more rows beside that of the first `rows`."""
    more = round(rows * share)
    with workspace(encoder) as folder:
        write_batch(folder, "a", range(rows))
        first = measure(folder)
        write_batch(folder, "b", range(rows, rows + more))
        second = measure(folder)
    new = {digest: size for digest, size in second.files.items() if digest not in first.files}
    before, after = sum(first.files.values()), sum(new.values())
    print(f"{rows} rows, then {more} more, encoder {encoder}")
    for stage in STAGES:
        for what, was, now in (
            ("wall", first.wall[stage], second.wall[stage]),
            ("processor", first.busy[stage], second.busy[stage]),
        ):
            print(f"{stage}: {what} {was:.2f} s, then {now:.2f} s ({now / was:.1%})")
    print(f"cache: {before / 1e6:.1f} MB, then {after / 1e6:.2f} MB more ({after / before:.2%})")


@contextmanager
def workspace(encoder: str) -> Iterator[Path]:
    """A folder in which the stages of this repository run on a manifest."""
    with tempfile.TemporaryDirectory(prefix="fuseline-") as name:
        folder = Path(name)
        for part in ("src", "stages", "dvc.yaml"):
            (folder / part).symlink_to(ROOT / part)
        yaml = YAML()
        params = yaml.load(ROOT / "params.yaml")
        params["base"]["modalities"] = ["image"]
        params["ingest"]["source"] = "manifest"
        params["ingest"]["manifest"]["path"] = "data/raw/*.csv"
        params["ingest"]["manifest"]["columns"]["text"] = None
        params["extract_features"]["image"]["encoder"] = encoder
        yaml.dump(params, folder / "params.yaml")
        yield folder


def write_batch(folder: Path, name: str, numbers: range) -> None:
    """A manifest file and its pictures; each picture differs from all others."""
    raw = folder / "data" / "raw"
    (raw / name).mkdir(parents=True)
    with (raw / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "label"])
        for number in numbers:
            path = raw / name / f"{number}.jpg"
            picture(number).save(path, quality=85)
            table.writerow([path.relative_to(raw).as_posix(), f"class {number % NUM_LABELS}"])


def picture(number: int) -> Image.Image:
    """Coloured blotches, drawn by number."""
    side = -(-PICTURE_PIXELS // BLOTCH_PIXELS)
    blotches = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    size = (PICTURE_PIXELS, PICTURE_PIXELS)
    return Image.fromarray(blotches).resize(size, Image.Resampling.BILINEAR)


def measure(folder: Path) -> Measured:
    """Run the stages as `dvc.yaml` has them."""
    declared = YAML(typ="safe").load(folder / "dvc.yaml")["stages"]
    run(folder, declared["code"]["cmd"])
    wall, busy = {}, {}
    for stage in STAGES:
        wall[stage], busy[stage] = run(folder, declared[stage]["cmd"])
    paths = [
        path for table in TABLES for path in (folder / "data" / table).rglob("*") if path.is_file()
    ]
    return Measured(wall, busy, {hash_file(path): path.stat().st_size for path in paths})


def run(folder: Path, command: str) -> tuple[float, float]:
    """Wall and processor seconds of a stage's command, for pictures where it has several cells."""
    words = shlex.split(command.replace("${item.modality}", "image"))
    path = os.pathsep.join([str(folder), str(folder / "src")])
    environment = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"}
    started, used = time.perf_counter(), processor_seconds()
    subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, check=True, env=environment | {"PYTHONPATH": path}
    )
    return time.perf_counter() - started, processor_seconds() - used


def processor_seconds() -> float:
    """Of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--share", type=float, default=0.01, help="of the rows that are added")
    parser.add_argument("--encoder", default="efficientnet_lite0")
    given = parser.parse_args()
    main(given.rows, given.share, given.encoder)
