"""Where lines come from: standard input, a folder that grows, a URL on this machine.

Each gives blocks of whole lines and, with a block, the place behind it, from which reading can go
on. Blocks end where what is there ends: what becomes of rows hangs on none of that.
"""

from __future__ import annotations

import ipaddress
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from fuseline.errors import ConfigError

STDIN = "-"
ENDING = ".jsonl"
# Bytes that are read at once, and of a line at most.
READ_BYTES = 2**20
MAX_LINE_BYTES = 2**18
# Seconds in which a server has to begin to answer, and to go on.
_PATIENCE = 3600.0

Place = dict[str, Any]
Block = tuple[list[bytes], Place]


class Lines(ABC):
    """Lines of one source.

    Attributes:
        waits: whether it has no end of its own.
    """

    waits = False

    @abstractmethod
    def blocks(self, place: Place | None) -> Iterator[Block]:
        """Blocks of lines from a place on, the beginning if None. An empty one says that nothing
        has come for now."""


class Stream(Lines):
    """Lines that come once, from a pipe or a server.

    Args:
        name: `-` or a URL of this machine.
        again: it begins anew with what it gave before, which is skipped.
    """

    def __init__(self, name: str, *, again: bool) -> None:
        self.name, self._again = name, again
        if name != STDIN:
            _refuse_other_machines(name)

    def blocks(self, place: Place | None) -> Iterator[Block]:
        read = place["lines"] if place else 0
        skip = read if self._again else 0
        with self._opened() as file:
            for lines in _whole_lines(file):
                kept = lines[skip:]
                skip -= len(lines) - len(kept)
                read += len(kept)
                if kept:
                    yield kept, {"lines": read}

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        if self.name == STDIN:
            return nullcontext(sys.stdin.buffer)
        try:
            opened = build_opener(ProxyHandler({})).open(self.name, timeout=_PATIENCE)
        except (URLError, OSError, ValueError) as error:
            raise ConfigError(
                f"{self.name}: cannot be read ({error}). Start what serves it, or name another."
            ) from None
        return cast("AbstractContextManager[BinaryIO]", opened)


class Folder(Lines):
    """Lines of the files `*.jsonl` of a folder, in the order of their names. A file counts as
    finished once one of a later name is there.

    Args:
        folder: that grows.
        follow: wait for more at the end.
        seconds: between two looks.
    """

    def __init__(self, folder: Path, *, follow: bool, seconds: int) -> None:
        self.folder, self.waits, self._seconds = folder, follow, seconds

    def blocks(self, place: Place | None) -> Iterator[Block]:
        name, offset = (place["file"], place["offset"]) if place else ("", 0)
        while True:
            names = sorted(path.name for path in self.folder.glob(f"*{ENDING}"))
            ahead = [one for one in names if one >= name]
            for one in ahead:
                offset = offset if one == name else 0
                name = one
                path, is_last = self.folder / name, one == ahead[-1]
                for lines, behind in _lines_of(path, offset, is_last=is_last):
                    offset = behind
                    yield lines, {"file": name, "offset": offset}
            if not self.waits:
                return
            yield [], {"file": name, "offset": offset}
            time.sleep(self._seconds)


def lines_of(source: str, *, again: bool, once: bool, seconds: int) -> Lines:
    """The source of a name.

    Args:
        source: `-`, a folder, or a URL of this machine.
        again: see `Stream`.
        once: of a folder, end where it ends now.
        seconds: of a folder, between two looks.

    Raises:
        ConfigError: it is none of these, or an option does not go with it.
    """
    is_stream = source == STDIN or "://" in source
    if is_stream:
        if once:
            raise ConfigError("--once: a stream ends where it ends. Leave it out.")
        return Stream(source, again=again)
    if again:
        raise ConfigError("--again: a folder is read on where it was left. Leave it out.")
    if not Path(source).is_dir():
        raise ConfigError(
            f"{source}: expected `-`, a folder of {ENDING} files or a URL of this machine, found"
            f" none there. mkdir -p {source}, and let files grow in it."
        )
    return Folder(Path(source), follow=not once, seconds=seconds)


def _refuse_other_machines(url: str) -> None:
    """Refuse a URL that is not of this machine.

    Raises:
        ConfigError: it is not, or no URL.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not (host == "localhost" or _is_loopback(host)):
        raise ConfigError(
            f"SOURCE: expected a URL of this machine, such as http://127.0.0.1:9000/, found"
            f" {url!r}. Forward rows of another machine to it."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _whole_lines(file: BinaryIO) -> Iterator[list[bytes]]:
    """Lines as they come; the last one too where it has no end."""
    rest = b""
    while content := _some(file):
        *lines, rest = (rest + content).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        yield lines
    if rest:
        yield [rest]


def _some(file: BinaryIO) -> bytes:
    """What there is, at least one byte; nothing at the end."""
    read = getattr(file, "read1", None)
    return cast(bytes, read(READ_BYTES)) if read else os.read(file.fileno(), READ_BYTES)


def _lines_of(path: Path, offset: int, *, is_last: bool) -> Iterator[tuple[list[bytes], int]]:
    """Whole lines from a byte on, and the byte behind them. A last line without an end is one in
    a file that is finished, else still being written."""
    with path.open("rb") as file:
        file.seek(offset)
        while content := file.read(READ_BYTES):
            whole = content.rfind(b"\n") + 1
            if not whole:
                if is_last and len(content) < MAX_LINE_BYTES:
                    return
                whole = len(content)
            lines = content[:whole].split(b"\n")
            offset += whole
            yield lines[:-1] if content[whole - 1 : whole] == b"\n" else lines, offset
            file.seek(offset)
