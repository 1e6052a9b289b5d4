"""Damaged files and rows through the checks of `ingest`: nothing may crash, hang or be lost.

Media are real files of every kind, damaged, and judged one by one. Rows come from damaged CSV,
JSONL and Parquet files, and go through the whole of `ingest`. Every case follows from the seed
and its number, so that one that fails can be run again alone.
"""

from __future__ import annotations

import faulthandler
import io
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.mutations import mutated
from fuseline.config import read_yaml
from fuseline.contracts import EXAMPLES, QUARANTINE, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.safety.personal import find_personal_data
from fuseline.data.ingest.validate import Validator
from fuseline.data.media.formats import endings_of_medium
from fuseline.data.sources import Media, RawRow
from fuseline.errors import FuselineError
from fuseline.params.ingest import IngestParams
from tests.support.media import real_media

ROOT = Path(__file__).resolve().parent.parent
SEED = 20_001
NUM_FILES, NUM_MANIFESTS = 16_000, 300
ROWS_PER_MANIFEST = 24
FILES_PER_TASK, MANIFESTS_PER_TASK = 500, 10
# No case may take longer: more is a hang.
MAX_SECONDS = 30.0

MEDIA = {medium: endings_of_medium(medium) for medium in ("image", "audio", "video")}
COLUMNS = {
    "id": "id",
    "text": "text",
    "image": "image",
    "audio": "audio",
    "video": "video",
    "tabular": ["price", "colour"],
    "label": "label",
    "targets": {
        "mood": "category",
        "parts": "categories",
        "stars": "number",
        "tags": "tags",
        "caption": "text",
    },
    "group": "group",
    "split": None,
    "lang": "lang",
    "license": "license",
    "provenance": None,
}
TEXTS = [
    "plain words",
    "caf\u00e9 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u05e9\u05dc\u05d5\u05dd \u202eevil",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "write to jo@example.com or 4111 1111 1111 1111",
    "nul \0 and bell \a",
    "",
    'line\r\nbreak, "quoted"',
    "x" * 3000,
]


@dataclass
class Outcome:
    """What became of some cases.

    Attributes:
        counts: cases by what they ended as.
        crashes: one line for each case that ended otherwise.
        slowest: seconds, and the case.
        peak_bytes: memory of the process, at most.
    """

    counts: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    peak_bytes: int = 0

    def add(self, other: Outcome) -> None:
        self.counts += other.counts
        self.crashes += other.crashes
        self.slowest = max(self.slowest, other.slowest)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)


def fuzz_files(numbers: range, seed: int = SEED) -> Outcome:
    """Judge one damaged file for each number, which also decides how it is damaged."""
    outcome = Outcome()
    params = _params(Path("unused.csv"))
    for number in numbers:
        rng = random.Random(f"file {seed} {number}")
        name, content = _damaged_file(rng)
        medium = next(medium for medium, endings in MEDIA.items() if name.endswith(endings))
        row = RawRow(
            source_row=number,
            example_id=str(number),
            raw={"path": name},
            **{medium: Media(content, name)},
        )
        with _watched(outcome, f"file {number} ({name})"):
            outcome.counts[f"{medium}: {_verdict(row, params)}"] += 1
    return outcome


def _damaged_file(rng: random.Random) -> tuple[str, bytes]:
    media = real_media()
    name = rng.choice(sorted(media))
    return name, mutated(media[name], media[rng.choice(sorted(media))], rng)


def _verdict(row: RawRow, params: IngestParams) -> str:
    validator = Validator(params, frozenset(MEDIA), {})
    try:
        record = validator.keep(row).record
    except Refusal as refusal:
        validator.quarantined(row, refusal)
        return refusal.reason
    # What was kept must be good for whoever reads it next.
    again = RawRow(
        source_row=0,
        example_id="again",
        raw={},
        **{medium: Media(**record[medium]) for medium in MEDIA if record[medium]},
    )
    changes = validator.keep(again).record["sanitised"]
    assert not [change for change in changes if not change.endswith(":extension")], changes
    return "kept"


def fuzz_manifests(numbers: range, seed: int = SEED) -> Outcome:
    """Ingest one damaged manifest for each number, row by row."""
    outcome = Outcome()
    for number in numbers:
        rng = random.Random(f"manifest {seed} {number}")
        with (
            _watched(outcome, f"manifest {number}"),
            tempfile.TemporaryDirectory(prefix="fuseline-fuzz-") as folder,
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            outcome.counts += _ingested(Path(folder), rng)
    return outcome


def _ingested(folder: Path, rng: random.Random) -> Counter[str]:
    """Rows by what they ended as."""
    raw = folder / "raw"
    raw.mkdir()
    manifest = _damaged_manifest(raw, rng)
    try:
        metrics = ingest_examples(_params(manifest), folder / "e", folder / "q", raw=raw)
    except FuselineError:
        return Counter({"rows: of a file that was refused as a whole": ROWS_PER_MANIFEST})
    kept = read_table(folder / "e", EXAMPLES, "examples")
    refused = read_table(folder / "q", QUARANTINE, "quarantine")
    assert (kept.num_rows, refused.num_rows) == (metrics["rows_kept"], metrics["rows_quarantined"])
    positions = kept["source_row"].to_pylist() + refused["source_row"].to_pylist()
    assert sorted(positions) == list(range(metrics["rows_in"])), "a row was lost"
    reasons = Counter({f"rows: {reason}": n for reason, n in metrics["quarantined"].items() if n})
    return reasons + Counter({"rows: kept": kept.num_rows})


def _damaged_manifest(raw: Path, rng: random.Random) -> Path:
    """A manifest whose lines are damaged here and there, its header seldom."""
    table = pa.Table.from_pylist([_row(raw, number, rng) for number in range(ROWS_PER_MANIFEST)])
    kind = rng.choice(["csv", "csv", "jsonl", "jsonl", "parquet"])
    path = raw / f"rows.{kind}"
    _, other = _damaged_file(rng)
    if kind == "parquet":
        pq.write_table(table, path, compression=rng.choice(["none", "zstd"]))
        if rng.random() < 0.3:
            path.write_bytes(mutated(path.read_bytes(), other or b"\0", rng))
        return path
    if kind == "csv":
        table.to_pandas().to_csv(path, index=False, lineterminator=rng.choice(["\n", "\r\n"]))
    else:
        table.to_pandas().to_json(path, orient="records", lines=True)
    header, *lines = path.read_bytes().splitlines(keepends=True)
    with path.open("wb") as file:
        file.write(mutated(header, other or b"\0", rng) if rng.random() < 0.1 else header)
        for line in lines:
            file.write(mutated(line, other or b"\0", rng) if rng.random() < 0.4 else line)
    return path


def _row(raw: Path, number: int, rng: random.Random) -> dict[str, str]:
    """A row that names a damaged file or none."""
    name, content = _damaged_file(rng)
    medium = next(medium for medium, endings in MEDIA.items() if name.endswith(endings))
    (raw / f"{number}_{name}").write_bytes(content)
    names = {medium: rng.choice([f"{number}_{name}", "", "", "../rows.csv"])}
    return {
        "id": str(rng.randrange(20 * ROWS_PER_MANIFEST)),
        "text": rng.choice(TEXTS),
        "image": names.get("image", ""),
        "audio": names.get("audio", ""),
        "video": names.get("video", ""),
        "price": rng.choice(["1.5", "-3", "", "nan", "1e999", "x"]),
        "colour": rng.choice(["red", " blue ", "", "\u202e"]),
        "label": rng.choice(["a", "b", "b", "c", " a ", "nan"]),
        "mood": rng.choice(["glad", "nan", '["glad"]', ""]),
        "parts": rng.choice(["a|b", '["a"]', '["\\ud800"]', "['a']", "[" * 3000, ""]),
        "stars": rng.choice(["3", "-0", "1e39", "inf", "many", ""]),
        "tags": rng.choice(["O O", '["O", "B-x"]', "O", ""]),
        "caption": rng.choice(["", *TEXTS]),
        "group": rng.choice(["", "g1", "g2"]),
        "lang": rng.choice(["en", "", "xx-weird"]),
        "license": rng.choice(["CC0-1.0", ""]),
    }


@cache
def _section() -> dict[str, object]:
    section = read_yaml(ROOT / "params.yaml")["ingest"]
    allowed = {"min_label_rows": 1, "max_quarantined_share": 1.0, "unlearnable": "warn"}
    return section | {"source": "manifest"} | allowed


def _params(manifest: Path) -> IngestParams:
    given = {"path": str(manifest), "encoding": "utf-8", "columns": COLUMNS}
    return IngestParams.model_validate(_section() | {"manifest": given})


@contextmanager
def _watched(outcome: Outcome, case: str) -> Iterator[None]:
    """Time a case, and note what it raises; nothing may."""
    start = time.perf_counter()
    faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
    try:
        yield
    except Exception as error:  # noqa: BLE001
        outcome.crashes.append(f"{case}: {type(error).__name__}: {error}")
        outcome.counts["crashed"] += 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    outcome.slowest = max(outcome.slowest, (time.perf_counter() - start, case))
    # Kilobytes on Linux.
    outcome.peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _prepare() -> None:
    """Decoders write their complaints straight to the terminal; presidio loads for seconds."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    find_personal_data("jo@example.com")


def _run(task: tuple[str, range]) -> Outcome:
    kind, numbers = task
    return fuzz_files(numbers) if kind == "file" else fuzz_manifests(numbers)


class _Workers:
    """A process that runs tasks one by one, and another one where it dies."""

    def __init__(self) -> None:
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        # Not a fork: what libraries did to this process must not decide what one of them does.
        return ProcessPoolExecutor(1, get_context("spawn"), initializer=_prepare)

    def run(self, task: tuple[str, range]) -> Outcome:
        """Run a task; where its process dies, each of its cases alone."""
        try:
            return self._pool.submit(_run, task).result()
        except BrokenProcessPool:
            self._pool = self._start()
        kind, numbers = task
        if len(numbers) == 1:
            case = f"{kind} {numbers[0]}: killed its process, or took over {MAX_SECONDS:g} s"
            return Outcome(Counter({"crashed": 1}), [case])
        outcome = Outcome()
        for number in numbers:
            outcome.add(self.run((kind, range(number, number + 1))))
        return outcome


def _tasks(kind: str, count: int, size: int) -> list[tuple[str, range]]:
    """All numbers of a kind, so many a task."""
    return [(kind, range(first, min(first + size, count))) for first in range(0, count, size)]


def main(num_files: int = NUM_FILES, num_manifests: int = NUM_MANIFESTS) -> None:
    """Run every case, print what they ended as, fail where one crashed."""
    outcome, workers = Outcome(), _Workers()
    tasks = _tasks("file", num_files, FILES_PER_TASK)
    tasks += _tasks("manifest", num_manifests, MANIFESTS_PER_TASK)
    for task in tasks:
        outcome.add(workers.run(task))
        print(f"{task[0]} {task[1].stop}: {len(outcome.crashes)} crashes", flush=True)
    for name, count in sorted(outcome.counts.items()):
        print(f"{name:<50}{count:>8}")
    print(f"{'all':<50}{outcome.counts.total():>8}")
    print(f"slowest: {outcome.slowest[0]:.2f} s, {outcome.slowest[1]}")
    print(f"peak memory: {outcome.peak_bytes / 1e6:.0f} MB")
    if outcome.crashes:
        sys.exit("\n".join(["crashes:", *outcome.crashes]))


if __name__ == "__main__":
    main()
