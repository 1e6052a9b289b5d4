"""The first samples of tar shards as a table, whose columns are the endings of members."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuseline.data.media.names import CONVERTED_ENDINGS, MEDIUM_OF, READ_ENDINGS
from fuseline.data.sources.cells import Record, as_cell, is_broken
from fuseline.data.sources.table_file import BadRecord
from fuseline.data.sources.tar_shards import Sample, samples
from fuseline.data.sources.webdataset_members import JSON, KEY, NEVER_DECODED, json_object
from fuseline.workbench.scaffold.guess import Guess
from fuseline.workbench.scaffold.profile import Profile

_FIRST_SAMPLES = 200
# Members without a known ending are looked at where they are no longer than a text.
_TEXT_BYTES = 100_000


def first_samples(shards: Sequence[Path]) -> tuple[list[Record], list[BadRecord]]:
    """Those that can be read, as cells by ending, and those that cannot."""
    every = itertools.chain.from_iterable(samples(shard, _is_short) for shard in shards)
    first = list(itertools.islice(every, _FIRST_SAMPLES))
    good: list[Record] = [_sample_cells(sample) for sample in first if not sample.problems]
    bad = [BadRecord(sample.problems[0].detail, "") for sample in first if sample.problems]
    return good, bad


def first_picture(record: Record) -> str:
    """The picture's name that a sample is read by; those that ingest reads come first."""
    endings = (*READ_ENDINGS["image"], *sorted(CONVERTED_ENDINGS))
    return next((record[ending] for ending in endings if ending in record), "")


def _is_short(ending: str, size: int) -> bool:
    """Whether a member is worth a look for text; of media, the ending tells enough."""
    return ending not in MEDIUM_OF and ending not in NEVER_DECODED and size <= _TEXT_BYTES


def _sample_cells(sample: Sample) -> dict[str, Any]:
    cells: dict[str, Any] = {KEY: None if is_broken(sample.key) else sample.key}
    for ending in sample.sizes:
        if ending in MEDIUM_OF:
            cells[ending] = f"{sample.key}.{ending}"
        elif ending in sample.content:
            cells |= _text_cells(ending, sample.content[ending])
    return cells


def _text_cells(ending: str, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig").strip()
        if ending == JSON:
            return {f"{JSON}.{key}": as_cell(cell) for key, cell in json_object(text).items()}
    except (ValueError, RecursionError):
        return {}
    return {ending: text or None}


def joined_endings(profiles: Sequence[Profile], guesses: Sequence[Guess]) -> list[Guess]:
    """All endings of a medium as one column, as in `jpg;png`."""
    endings: dict[str, list[str]] = {}
    for profile in profiles:
        medium = MEDIUM_OF.get(profile.name)
        if medium:
            endings.setdefault(medium, []).append(profile.name)
    joined = []
    for guess in guesses:
        medium = MEDIUM_OF.get(guess.column)
        if medium is None:
            joined.append(guess)
        elif medium in endings:
            # The first that a sample has is read: of a picture's two, one that ingest takes.
            column = ";".join(sorted(endings.pop(medium), key=CONVERTED_ENDINGS.__contains__))
            joined.append(Guess(column, medium, f"{medium} files", guess.samples))
    return joined
