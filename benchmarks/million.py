"""Ingest and tokenize of manifests with texts and table cells, by number of rows.

Each stage runs in a process of its own, so that peak memory is the stage's. A few rows copy
earlier ones, to the letter or nearly.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.workspace import ROOT
from fuseline.config import read_yaml
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.params.ingest import IngestParams
from fuseline.params.tokenize import TokenizeParams

NUM_ROWS = (100_000, 1_000_000)
EQUAL_SHARE = NEAR_SHARE = 0.01
NUM_WORDS = 20_000
LABELS = ("billing", "delivery", "login", "refund", "returns")
COLUMNS = {"id": "id", "text": "text", "image": None, "tabular": ["age", "plan"], "label": "label"}
# An e-mail address or number that is masked costs more than a text without any.
PERSONAL_SHARE = 0.02


def main(sizes: tuple[int, ...] = NUM_ROWS) -> None:
    """Print time per row and peak memory of both stages for each number of rows."""
    for num_rows in sizes:
        with tempfile.TemporaryDirectory(prefix="fuseline-") as name:
            folder = Path(name)
            write_manifest(folder / "rows.csv", num_rows)
            per_row = 0.0
            for stage in STAGES:
                found = in_own_process(stage, folder)
                per_row += found["seconds"] / num_rows
                print(
                    f"{num_rows:>9} rows  {stage:<9}{found['seconds']:>8.1f} s "
                    f"{1e6 * found['seconds'] / num_rows:>7.1f} µs a row"
                    f"{found['peak_gib']:>7.2f} GiB  {found['said']}",
                    flush=True,
                )
            print(f"{num_rows:>9} rows  together {1e6 * per_row:>25.1f} µs a row", flush=True)


def write_manifest(path: Path, num_rows: int, seed: int = 0) -> None:
    """A CSV of made-up messages with two cells each."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 10))) for _ in range(NUM_WORDS)]
    earlier: list[str] = []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "age", "plan", "label"])
        for number in range(num_rows):
            text = message(rng, words, earlier)
            if len(earlier) < 10_000:
                earlier.append(text)
            plan = rng.choice(["free", "team", "firm"])
            writer.writerow([number, text, rng.randint(18, 90), plan, rng.choice(LABELS)])


def message(rng: random.Random, words: list[str], earlier: list[str]) -> str:
    """A new text, or one that was written before, as it was or with a word more."""
    draw = rng.random()
    if earlier and draw < EQUAL_SHARE:
        return rng.choice(earlier)
    if earlier and draw < EQUAL_SHARE + NEAR_SHARE:
        return f"{rng.choice(earlier)} {rng.choice(words)[:3]}"
    text = " ".join(rng.choices(words, k=rng.randint(6, 20))).capitalize() + "."
    return f"{text} Mail {words[0]}@example.org" if rng.random() < PERSONAL_SHARE else text


def in_own_process(stage: str, folder: Path) -> dict[str, Any]:
    """Run a stage's function in a new process, and return what it measured."""
    command = [sys.executable, "-m", "benchmarks.million", "--stage", stage, str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return json.loads((folder / f"{stage}.json").read_text())  # type: ignore[no-any-return]


def ingest(folder: Path) -> str:
    """The stage `ingest` on the manifest."""
    content = read_yaml(ROOT / "params.yaml")["ingest"]
    content["source"] = "manifest"
    content["manifest"]["path"] = str(folder / "rows.csv")
    content["manifest"]["columns"] |= COLUMNS
    params = IngestParams.model_validate(content)
    figures = ingest_examples(params, folder / "examples", folder / "quarantine", raw=folder)
    copies = figures["duplicates"]["rows"]
    return f"{figures['rows_kept']} kept, {figures['rows_quarantined']} refused, {copies} copies"


def tokenize(folder: Path) -> str:
    """The stage `tokenize` on what was ingested."""
    params = TokenizeParams.model_validate(read_yaml(ROOT / "params.yaml")["tokenize"])
    figures = tokenize_examples(
        folder / "examples", folder / "tokens", folder / "tokenizer", params
    )
    return f"{figures['tokens']} tokens"


STAGES = {"ingest": ingest, "tokenize": tokenize}


def _run_stage(stage: str, folder: Path) -> None:
    started = time.perf_counter()
    said = STAGES[stage](folder)
    found = {
        "seconds": time.perf_counter() - started,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "said": said,
    }
    (folder / f"{stage}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=NUM_ROWS, help="numbers of rows")
    parser.add_argument("--stage", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        _run_stage(arguments.stage[0], Path(arguments.stage[1]))
    else:
        main(tuple(arguments.sizes))
