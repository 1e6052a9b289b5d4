"""Which members of a WebDataset sample hold which field, and what they say."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from fuseline.data.sources.base import Problem, brief
from fuseline.data.sources.cells import as_cell, is_broken, one_line
from fuseline.data.sources.media_files import max_bytes, oversized
from fuseline.data.sources.tar_shards import Sample, samples
from fuseline.errors import ConfigError
from fuseline.params.base import MEDIA, MODALITIES
from fuseline.params.ingest import LimitParams

COLUMNS_KEY = "ingest.webdataset.columns"
KEY = "__key__"
JSON = "json"

# Decoding one of these may run any code.
NEVER_DECODED = frozenset({"pickle", "pkl", "pt", "pth", "pyd", "joblib", "npz", "npy"})

# Samples that are looked at for the endings that the mapping names.
_FIRST_SAMPLES = 100
_BYTES_PER_CHARACTER = 4
_JSON_BYTES = 4_000_000


class Members:
    """The mapping of fields to members: `__key__`, `json.key`, or endings as in `jpg;png`.

    Attributes:
        key_endings: the endings that keys go up to, where keys have dots; empty where a key goes
            up to the first dot, as is the custom. `check` decides.

    Raises:
        ConfigError: an ending that is never decoded.
    """

    def __init__(self, mapped: list[tuple[str, str]]) -> None:
        self.key_endings: frozenset[str] = frozenset()
        self._mapped = mapped
        self._media = {
            ending: field
            for field, column in mapped
            if field in MEDIA
            for ending in endings_of(column)
        }
        self._texts = {
            ending
            for field, column in mapped
            if field not in MEDIA
            for ending in endings_of(column)
        }
        for field, column in mapped:
            unsafe = NEVER_DECODED.intersection(endings_of(column))
            if unsafe:
                raise ConfigError(
                    f"{COLUMNS_KEY}.{field}: members ending in {', '.join(sorted(unsafe))} are"
                    " never decoded. Name another ending."
                )

    def wanted(self, ending: str, size: int, limits: LimitParams) -> bool | Problem:
        """Whether a member is read."""
        if ending in self._media:
            medium = self._media[ending]
            if size > max_bytes(medium, limits):
                return oversized(f".{ending}", size, medium, limits)
            return True
        if ending not in self._texts:
            return False
        most = _BYTES_PER_CHARACTER * limits.max_text_characters
        if ending == JSON and size > max(most, _JSON_BYTES):
            return Problem("malformed_row", f"'.json' has {size} bytes, too many for one row.")
        if ending != JSON and size > most:
            return Problem("oversized_text", f"'.{ending}' has {size} bytes; {most} at most.")
        return True

    def record(self, sample: Sample) -> dict[str, Any] | Problem:
        """Cells of a sample by column, None where it lacks a member."""
        texts: dict[str, str] = {}
        for ending in sorted(self._texts & set(sample.content)):
            try:
                texts[ending] = _text(sample.content[ending])
            except UnicodeDecodeError:
                return Problem("malformed_row", f"'.{ending}' is not valid UTF-8.")
        values: dict[str, Any] = {}
        if JSON in texts:
            try:
                values = json_object(texts[JSON])
            except (ValueError, RecursionError) as error:
                return Problem("malformed_row", f"'.json' is not readable: {one_line(error)}.")
        return {
            column: self._cell(field, column, sample, texts, values)
            for field, column in self._mapped
        }

    def _cell(
        self,
        field: str,
        column: str,
        sample: Sample,
        texts: dict[str, str],
        values: dict[str, Any],
    ) -> Any:
        if column == KEY:
            return sample.key
        if column.startswith(f"{JSON}."):
            return as_cell(values.get(column.removeprefix(f"{JSON}.")))
        for ending in endings_of(column):
            if ending in sample.content:
                if field in MEDIA:
                    return {"bytes": sample.content[ending], "path": f"{sample.key}.{ending}"}
                return texts[ending] or None
        return None

    def dotted(self, sample: Sample) -> Problem | None:
        """The problem of a sample whose members would be known if its key had no dot."""
        ending = next(
            (
                ending
                for ending in sample.sizes
                if not sample.content and ending.rpartition(".")[2] in {*self._media, *self._texts}
            ),
            None,
        )
        if ending is None:
            return None
        return Problem(
            "malformed_row",
            f"the key {brief(sample.key)!r} ends at the first dot, so that a member ends in"
            f" {brief(ending)!r}: name the members without another dot.",
        )

    def check(self, shards: list[Path]) -> None:
        """Look for the mapped endings in the first samples.

        Text and media may be absent from all of them, since a set need not have every modality;
        the rest would be a slip of the pen.

        Raises:
            ConfigError: naming the fields whose endings are not there, and those that are.
        """
        modal = {
            ending
            for field, column in self._mapped
            if field in MODALITIES
            for ending in endings_of(column)
        }
        found = _first_endings(shards, frozenset())
        mapped = frozenset(self._media) | self._texts
        if modal and not modal & found and modal & (dotted := _first_endings(shards, mapped)):
            self.key_endings, found = mapped, dotted
        absent = [
            (field, column)
            for field, column in self._mapped
            if column != KEY and not found.intersection(endings_of(column))
        ]
        optional = {*MEDIA, "text"}
        lacking = [pair for pair in absent if pair[0] not in optional]
        modalities = [pair for pair in self._mapped if pair[0] in MODALITIES]
        if all(pair in absent for pair in modalities):
            lacking = absent
        if lacking:
            raise ConfigError(
                "\n".join(
                    f"{shards[0]}: {COLUMNS_KEY}.{field}: expected members ending in '{column}',"
                    f" found none among the first samples, which end in"
                    f" {', '.join(sorted(found)) or 'nothing'}. Name one of them, or null for none."
                    for field, column in lacking
                )
            )


def endings_of(column: str) -> list[str]:
    """Endings that a column stands for, the first that a sample has being used."""
    if column == KEY:
        return []
    if column.startswith(f"{JSON}."):
        return [JSON]
    return [ending.strip().lower().removeprefix(".") for ending in column.split(";")]


def _first_endings(shards: list[Path], key_endings: frozenset[str]) -> set[str]:
    """Endings of the first samples."""
    every = itertools.chain.from_iterable(samples(shard, _nothing, key_endings) for shard in shards)
    return {ending for first in itertools.islice(every, _FIRST_SAMPLES) for ending in first.sizes}


def _nothing(_ending: str, _size: int) -> bool:
    return False


def _text(content: bytes) -> str:
    """A member as text, without the line's end that editors and `echo` leave behind."""
    return content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")


def json_object(text: str) -> dict[str, Any]:
    """The object that a JSON member holds.

    Raises:
        ValueError: it is no JSON, no object, or holds half a character.
        RecursionError: it is nested too deep.
    """
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    if is_broken(json.dumps(value, ensure_ascii=False)):
        raise ValueError("a text holds half a character")
    return value
