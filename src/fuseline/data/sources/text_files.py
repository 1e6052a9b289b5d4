"""Lines of a text file, compressed or not, in the encoding that it has.

A byte order mark says for certain what the encoding is; without one it is what the params name.
Nothing is guessed: `readable_as` finds what could be offered instead.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fuseline.data.sources.cells import is_broken, one_line
from fuseline.errors import ContractError

GZIP_ENDING = ".gz"
# What a compressed table may hold: a small file can be made to unpack without end.
MAX_UNPACKED_BYTES = 2**33
# The longest line; one without an end would fill the memory.
MAX_LINE_CHARACTERS = 16_000_000

_CHUNK_BYTES = 1 << 20
# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Of lines that are not UTF-8, what is shown to the detection.
_SAMPLE_BYTES = 65_536
# What most files of other encodings are; where it reads the same as a rarer one, it is offered.
_COMMONEST = "cp1252"
_WESTERN_SIGNS = frozenset(
    "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022\u20ac\xa0\xa3\xa7\xab\xb0\xbb"
)
# Reads any bytes at all.
_LAST_RESORT = "iso-8859-1"
_KEEPING = "fuseline.keep_broken_bytes"


def _keep_broken_bytes(error: UnicodeError) -> tuple[str, int]:
    """Bytes that no character has as lone surrogates, so that only their own cell is refused.

    As Python's `surrogateescape`, which knows nothing of UTF-16.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + max(byte, 0x80)) for byte in broken), error.end


codecs.register_error(_KEEPING, _keep_broken_bytes)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked.

    Raises:
        ContractError: it is packed and damaged, or unpacks to more than `MAX_UNPACKED_BYTES`.
    """
    with path.open("rb") as file:
        if path.suffix.lower() != GZIP_ENDING:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield io.BufferedReader(_Bounded(unpacked, path))
        except (EOFError, OSError, zlib.error) as error:
            raise ContractError(
                f"{path}: not readable as gzip: {one_line(error)}. Pack the table again."
            ) from None


class _Bounded(io.RawIOBase):
    """A stream that refuses to go on for ever."""

    def __init__(self, stream: gzip.GzipFile, path: Path) -> None:
        self._stream, self._path, self._left = stream, path, MAX_UNPACKED_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._stream.read(len(buffer))
        self._left -= len(chunk)
        if self._left < 0:
            raise ContractError(
                f"{self._path}: expected at most {MAX_UNPACKED_BYTES} bytes unpacked, found more."
                " Unpack the table and split it into several files."
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)


def encoding_of(path: Path, declared: str) -> str:
    """What a file is read as: what its mark says, else what is declared.

    Raises:
        ContractError: UTF-8 is declared, and the file begins as UTF-16 without its mark does.
    """
    with open_bytes(path) as file:
        start = file.read(4)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    # With Latin letters, every other byte is a zero.
    zeros = {start[0:4:2]: "utf-16-be", start[1:4:2]: "utf-16-le"}
    if is_utf8(declared) and b"\0\0" in zeros:
        offered = zeros[b"\0\0"]
        raise OtherEncodingError(_refused(path, "UTF-16 without its mark", offered, None), offered)
    return declared


def is_utf8(encoding: str) -> bool:
    """Whether a name of an encoding is one of UTF-8's."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def text_lines(path: Path, encoding: str, newline: str) -> Iterator[str]:
    """Every line with its end; of one that is too long, the first `MAX_LINE_CHARACTERS` + 1.

    Args:
        path: the file.
        encoding: as `encoding_of` says.
        newline: what ends a line, as `open` has it.
    """
    with (
        open_bytes(path) as file,
        io.TextIOWrapper(file, encoding, errors=_KEEPING, newline=newline) as text,
    ):
        while line := text.readline(MAX_LINE_CHARACTERS + 1):
            yield line
            if len(line) > MAX_LINE_CHARACTERS:
                _skip_line(text, line)


def _skip_line(text: io.TextIOWrapper, begun: str) -> None:
    """Read on to the end of a line, keeping nothing."""
    part = begun
    while part and not part.endswith(("\n", "\r")):
        part = text.readline(MAX_LINE_CHARACTERS)


def is_readable_as(path: Path, encoding: str) -> bool:
    """Whether every byte of the file is a character's.

    Raises:
        ContractError: it is packed and damaged, or unpacks to too much.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_bytes(path) as file:
        try:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True


class OtherEncodingError(ContractError):
    """A file is not of the encoding that it is read in.

    Attributes:
        offered: the encoding that reads every row, the likeliest of those that do.
    """

    def __init__(self, message: str, offered: str) -> None:
        super().__init__(message)
        self.offered = offered


def other_encoding(path: Path, declared: str) -> OtherEncodingError:
    """The error of a file that is not what is declared, with an encoding that reads every row."""
    lines = _unreadable_lines(path)
    offered = next(name for name in _candidates(lines) if is_readable_as(path, name))
    found = "another encoding" if is_utf8(declared) else f"something else than {declared}"
    return OtherEncodingError(_refused(path, found, offered, lines), offered)


def _refused(path: Path, found: str, offered: str, lines: bytes | None) -> str:
    example = ""
    if lines:
        text = lines.decode(offered, "replace")
        place = next((n for n, character in enumerate(text) if not character.isascii()), 0)
        shown = text[max(0, place - 20) : place + 20].splitlines() or [""]
        example = f" (for example, {max(shown, key=len).strip()!r})"
    return (
        f"{path}: expected UTF-8, or a byte order mark, found {found}. As {offered}, every row can"
        f" be read{example}: where that reads right, set ingest.manifest.encoding to {offered},"
        " else save the file as UTF-8."
    )


def _unreadable_lines(path: Path) -> bytes:
    """Lines that are not UTF-8, each once, as many as the detection needs."""
    lines: dict[bytes, None] = {}
    size = 0
    with open_bytes(path) as file:
        while size < _SAMPLE_BYTES and (line := file.readline(_SAMPLE_BYTES)):
            if line not in lines and is_broken(line.decode("utf-8", "surrogateescape")):
                lines[line] = None
                size += len(line)
    return b"".join(lines)


def _candidates(lines: bytes) -> Iterator[str]:
    """Encodings that may be meant, the likeliest first; the last reads anything."""
    from charset_normalizer import from_bytes

    found = [match.encoding for match in from_bytes(lines) if not is_utf8(match.encoding)]
    if not found or _is_western(lines) or _reads_alike(lines, found[0]):
        yield _COMMONEST
    yield from found
    yield from (_COMMONEST, _LAST_RESORT)


def _is_western(lines: bytes) -> bool:
    """Whether the commonest encoding makes letters of Latin words, and no other signs, of them."""
    try:
        text = lines.decode(_COMMONEST)
    except UnicodeError:
        return False
    letters = [character for character in text if character.isalpha()]
    accented = sum(not letter.isascii() for letter in letters)
    others = (character for character in text if not character.isascii())
    return all(character.isalpha() or character in _WESTERN_SIGNS for character in others) and (
        accented <= 1 or 3 * accented <= len(letters)
    )


def _reads_alike(lines: bytes, encoding: str) -> bool:
    try:
        return lines.decode(_COMMONEST) == lines.decode(encoding)
    except UnicodeError:
        return False
