"""Answers to many rows: block by block in constant memory, to be gone on with after a kill."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from fuseline.contracts import hash_file, write_json
from fuseline.contracts.durable import put, write_text
from fuseline.data.ingest.shards import media_bytes
from fuseline.data.sources import RawRow, Source
from fuseline.errors import ConfigError
from fuseline.pipeline.locks import held
from fuseline.serving.cleaning import Cleaned, Refused
from fuseline.serving.contract import CONTRACT_FILE, MODEL_FILES
from fuseline.serving.predictor import Predictor
from fuseline.serving.rows import Input, Request
from fuseline.serving.scores import Line, as_lines
from fuseline.serving.writers import JsonLines, refuse_folder, writer_of

# Rows that are answered at once; with their media they are in memory.
BLOCK_ROWS = 1024
BLOCK_MEDIA_BYTES = 2**26
STATE = "state.json"
REFUSED_ENDING = ".refused.jsonl"


@dataclass
class Counts:
    """Rows that were answered, and refused."""

    answered: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Block:
    """Rows that follow one another: how many they are, what became of them, and what a log of
    scores holds of those that are answered."""

    rows: int
    answers: pa.Table
    scores: list[Line]
    refused: list[Refused]


def blocks(predictor: Predictor, rows: Iterable[RawRow]) -> Iterator[Block]:
    """Answers to rows, as many at a time as memory has room for. Where one block ends and the next
    begins hangs on the rows alone."""
    found: list[Cleaned | Refused] = []
    held_bytes = 0
    for row in rows:
        found.append(predictor.clean(row))
        last = found[-1]
        held_bytes += media_bytes(last.record) if isinstance(last, Cleaned) else 0
        if len(found) == BLOCK_ROWS or held_bytes > BLOCK_MEDIA_BYTES:
            yield _block(predictor, found)
            found, held_bytes = [], 0
    if found:
        yield _block(predictor, found)


def _block(predictor: Predictor, found: list[Cleaned | Refused]) -> Block:
    kept = [row for row in found if isinstance(row, Cleaned)]
    answers, scores = predictor.scored(kept) if kept else (predictor.schema.empty_table(), [])
    refused = [row for row in found if isinstance(row, Refused)]
    return Block(len(found), answers, scores, refused)


def print_answers(predictor: Predictor, source: Source) -> Counts:
    """Answers to every row of a source as lines of JSON on standard output; why others have none,
    on standard error."""
    counts = Counts()
    for block in blocks(predictor, source.rows()):
        print(JsonLines.text(block.answers), end="", flush=True)
        tell_refused(block)
        counts.answered += block.answers.num_rows
        counts.refused += len(block.refused)
    return counts


def tell_refused(block: Block) -> None:
    """Say on standard error why rows are not answered."""
    for one in block.refused:
        print(f"row {one.row}: {one.reason}: {one.detail}", file=sys.stderr)


def write_answers(
    predictor: Predictor,
    given: Input,
    request: Request,
    output: Path,
    log: Path | None = None,
) -> Counts:
    """Write answers to every row of an input, and beside them the refused rows.

    Finished blocks are kept beside the output until it is whole. A run that was killed goes on
    with them, where model, options and input are those that they were made of, and ends with the
    same bytes.

    Args:
        predictor: answers.
        given: the rows.
        request: that they were opened by.
        output: `.csv`, `.jsonl` or `.parquet`, replaced as a whole. Refused rows go to a file of
            its name that ends in `.refused.jsonl`, where there are any.
        log: for the scores of the answers, a line of JSON each; replaced as a whole.

    Raises:
        ConfigError: the output's name has another ending, or the log would be one of its files.
        ContractError: another run writes the same output.
    """
    make = writer_of(output)
    if log is not None and log.resolve() in (output.resolve(), refused_of(output).resolve()):
        raise ConfigError(f"--log {log}: the answers would be written there too. Name another.")
    for path in filter(None, (refused_of(output), log)):
        refuse_folder(path)
    for path in filter(None, (output, log)):
        path.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(output, log)
    busy = f"{output}: another run writes it. Wait for it, or name another output."
    progress.folder.mkdir(exist_ok=True)
    with held(progress.folder, busy):
        progress.begin(_identity(predictor, request, given.state, with_log=log is not None))
        bar = tqdm(
            desc="predict",
            total=given.source.num_rows,
            unit="row",
            initial=progress.rows,
            delay=1.0,
        )
        with bar:
            for block in blocks(predictor, islice(given.source.rows(), progress.rows, None)):
                progress.keep(block)
                bar.update(block.rows)
        return progress.join(make, predictor.schema)


def refused_of(output: Path) -> Path:
    """Where the refused rows of an output are."""
    return output.with_name(f"{output.stem}{REFUSED_ENDING}")


class Progress:
    """Finished blocks of an output.

    Attributes:
        folder: that they are in.
        rows: how many rows they hold.
    """

    def __init__(self, output: Path, log: Path | None) -> None:
        self.output, self._log = output, log
        self.folder = output.with_name(f".{output.name}.partial")
        self.rows = 0
        self._blocks = 0

    def begin(self, identity: str) -> None:
        """Take up what an earlier run of the same identity left, or start over."""
        state = self.folder / STATE
        kept = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
        if kept.get("identity") != identity:
            for path in self.folder.iterdir():
                path.unlink()
            write_json(state, {"identity": identity})
        for path in self._kept():
            self.rows += int(path.stem.rpartition("-")[2])
            self._blocks += 1
        if self.rows:
            print(f"Going on after {self.rows} rows that are answered.", file=sys.stderr)

    def keep(self, block: Block) -> None:
        """Keep a finished block: the refused rows and the scores first, so that the answers
        complete it."""
        name = f"{self._blocks:08d}-{block.rows}"
        refused = [json.dumps(asdict(one), ensure_ascii=False) for one in block.refused]
        write_json(self.folder / f"{name}.json", refused)
        if self._log:
            write_text(self.folder / f"{name}.scores", as_lines(block.scores))
        partial = self.folder / f"{name}.arrow.partial"
        with (
            pa.OSFile(str(partial), "wb") as file,
            pa.ipc.new_file(file, block.answers.schema) as writer,
        ):
            writer.write_table(block.answers)
        partial.replace(self.folder / f"{name}.arrow")
        self._blocks += 1
        self.rows += block.rows

    def join(self, make: Any, schema: pa.Schema) -> Counts:
        """Make the output of the blocks, and leave nothing else."""
        counts = Counts()
        answers, refused = self.folder / "answers", self.folder / "refused"
        if self._log:
            self._join_scores(self._log)
        with make(answers, schema) as writer, refused.open("w", encoding="utf-8") as lines:
            for path in self._kept():
                with pa.memory_map(str(path)) as file:
                    table = pa.ipc.open_file(file).read_all()
                    writer.write(table)
                    counts.answered += table.num_rows
                for line in json.loads(path.with_suffix(".json").read_text(encoding="utf-8")):
                    lines.write(f"{line}\n")
                    counts.refused += 1
        beside = refused_of(self.output)
        if counts.refused:
            put(refused, beside)
        else:
            # Of an earlier run with the same name.
            beside.unlink(missing_ok=True)
        put(answers, self.output)
        shutil.rmtree(self.folder)
        return counts

    def _join_scores(self, log: Path) -> None:
        # Beside it: it may lie on another disk than the output.
        partial = log.with_name(f".{log.name}.partial")
        with partial.open("wb") as lines:
            for path in self._kept():
                lines.write(path.with_suffix(".scores").read_bytes())
        put(partial, log)

    def _kept(self) -> list[Path]:
        return sorted(self.folder.glob("*.arrow"))


def _identity(predictor: Predictor, request: Request, state: object, *, with_log: bool) -> str:
    """What answers hang on: the export, how it answers, and the files of the input; and whether
    scores are kept beside them."""
    model = MODEL_FILES[predictor.options.format]
    identity = {
        "files": [hash_file(predictor.folder / name) for name in (CONTRACT_FILE, model)],
        "options": asdict(predictor.options) | {"threads": None},
        "request": asdict(request),
        "input": state,
        "log": with_log,
    }
    return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
