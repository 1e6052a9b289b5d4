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
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.monitor.events import MAX_LINE_BYTES
from fuseline.serving.webhook import NoRedirect

STDIN = "-"
ENDING = ".jsonl"
# Bytes that are read at once.
READ_BYTES = 2**20
# Of a line; one that is too long is cut where that still shows.
_KEPT_BYTES = MAX_LINE_BYTES + 1
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
            for lines in self._read(file):
                kept = lines[skip:]
                skip -= len(lines) - len(kept)
                read += len(kept)
                if kept:
                    yield kept, {"lines": read}

    def _read(self, file: BinaryIO) -> Iterator[list[bytes]]:
        """Lines as they come; the last one too where it has no end."""
        rest = b""
        while content := self._some(file):
            lines, rest = _parted(rest + content)
            yield lines
        if getattr(file, "length", None):
            # A server that went away early; the last line is not whole.
            raise self._broken("its end is missing")
        if rest:
            yield [rest]

    def _some(self, file: BinaryIO) -> bytes:
        """What there is, at least one byte; nothing at the end."""
        read = getattr(file, "read1", None)
        try:
            return cast(bytes, read(READ_BYTES)) if read else os.read(file.fileno(), READ_BYTES)
        except (OSError, HTTPException) as error:
            raise self._broken(str(error) or type(error).__name__) from None

    def _broken(self, why: str) -> ContractError:
        return ContractError(
            f"{self.name}: broke off ({why}). What came before is kept. Start it again; with"
            " --again if it begins anew with what it gave before."
        )

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        if self.name == STDIN:
            if sys.stdin is None:
                raise ConfigError("-: standard input is closed. Pipe rows into it.")
            return nullcontext(sys.stdin.buffer)
        try:
            # A server may not lead to another machine.
            opener = build_opener(ProxyHandler({}), NoRedirect)
            opened = opener.open(self.name, timeout=_PATIENCE)
        except (OSError, HTTPException, ValueError) as error:
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
            found = self.folder.glob(f"*{ENDING}")
            names = sorted(path.name for path in found if path.is_file())
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
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme, host = "", ""
    if scheme not in ("http", "https") or not (host == "localhost" or _is_loopback(host)):
        raise ConfigError(
            f"SOURCE: expected a URL of this machine, such as http://127.0.0.1:9000/, found"
            f" {url!r}. Forward rows of another machine to it."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parted(content: bytes) -> tuple[list[bytes], bytes]:
    """Whole lines and what is left, none longer than shows that it is too long: so much memory is
    needed, and a line is the same however it comes."""
    *lines, rest = (line[:_KEPT_BYTES] for line in content.split(b"\n"))
    return lines, rest


def _lines_of(path: Path, offset: int, *, is_last: bool) -> Iterator[tuple[list[bytes], int]]:
    """Whole lines from a byte on, and the byte behind them. A last line without an end is one in
    a file that is finished, else still being written.

    Raises:
        ContractError: the file has become shorter than was read of it, or cannot be read.
    """
    rest, read = b"", offset
    with _opened(path) as file:
        if (size := os.fstat(file.fileno()).st_size) < offset:
            raise ContractError(
                f"{path}: expected at least the {offset} bytes that were read of it, found {size}."
                " Files may only grow. Move it to a later name, which is read from its beginning."
            )
        file.seek(offset)
        while content := file.read(READ_BYTES):
            read += len(content)
            behind = read - (len(content) - content.rfind(b"\n") - 1)
            lines, rest = _parted(rest + content)
            if lines:
                yield lines, behind
    if rest and not is_last:
        yield [rest], read


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ContractError(
            f"{path}: cannot be read ({error.strerror}). Let this user read it, or move it away."
        ) from None
