"""Logs of scores, read line by line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

from pydantic import ValidationError

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.scores import Score

# A line has some hundred bytes; what is longer is none of ours.
MAX_LINE_BYTES = 2**16
# Characters of what was found that an error quotes.
QUOTED = 60
_UNREADABLE = (OSError, EOFError, zlib.error)


class Logs:
    """Lines of several files as if they were one.

    Args:
        paths: of the files, the oldest first; those that end in `.gz` are unpacked.

    Attributes:
        unfinished: files whose last line was still being written, and is left out.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.unfinished: list[Path] = []

    def __iter__(self) -> Iterator[tuple[str, Score]]:
        """Where each line stands, as `file:line`, and what it holds.

        Raises:
            ConfigError: a file cannot be read.
            ContractError: a line is no line of a log of scores.
        """
        for path in self.paths:
            try:
                with _opened(path) as file:
                    yield from self._lines(path, file)
            except _UNREADABLE as error:
                raise ConfigError(
                    f"{path}: cannot be read ({error}). Name a log that `fuseline serve"
                    " --score-log` or `fuseline predict --log` wrote."
                ) from None

    def _lines(self, path: Path, file: BinaryIO) -> Iterator[tuple[str, Score]]:
        number = 0
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            where = f"{path}:{number}"
            if not line.endswith(b"\n"):
                if len(line) == MAX_LINE_BYTES:
                    raise _refused(where, f"a line of {MAX_LINE_BYTES} bytes or more")
                self.unfinished.append(path)
                return
            yield where, _parsed(where, line)


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    if path.suffix == ".gz":
        return cast("AbstractContextManager[BinaryIO]", gzip.open(path, "rb"))
    return path.open("rb")


def _parsed(where: str, line: bytes) -> Score:
    try:
        return Score.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise _refused(where, f"{key}: {first['msg']}" if key else first["msg"]) from None


def _refused(where: str, found: str) -> ContractError:
    return ContractError(
        f"{where}: expected a line of a log of scores, found: {shortened(found)}. Take the line"
        " out, or name another file."
    )


def shortened(text: str) -> str:
    """A text to quote, without what a terminal would obey."""
    plain = "".join(one if one.isprintable() else "?" for one in text)
    return plain if len(plain) <= QUOTED else f"{plain[:QUOTED]}…"
