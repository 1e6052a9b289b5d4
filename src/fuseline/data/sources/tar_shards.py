"""Sample by sample through a tar file in the WebDataset layout, reading what is asked for only.

A sample is a run of members whose names are the same up to the first dot of the base name; or, of
a set whose keys have dots, up to a known ending.
Nothing is unpacked to disk, and no member is decoded here.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fuseline.data.sources.base import Problem
from fuseline.data.sources.cells import is_broken, one_line
from fuseline.data.sources.media_files import leads_out

# Longer headers (of long names) are refused: the standard library would read them whole.
HEADER_BYTES = 1_000_000
_BLOCK_BYTES = 512
_CHUNK_BYTES = 1 << 20

# Says of an ending and a size in bytes whether a member is read: yes, no, or that is a problem.
Wanted = Callable[[str, int], bool | Problem]


@dataclass
class Sample:
    """Members of one key.

    Attributes:
        key: their name up to the ending; empty where none could be read.
        content: bytes by lower-case ending, of the members that were read.
        sizes: bytes of every member by ending.
        problems: what keeps the sample from being used.
    """

    key: str
    content: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def samples(path: Path, wanted: Wanted, endings: Collection[str] = ()) -> Iterator[Sample]:
    """Yield every sample in the file's order.

    Where the file is damaged, the sample that it breaks off in or after is the last, with a
    problem. Hidden files and folders are left out.

    Args:
        path: the tar file.
        wanted: which members to read.
        endings: where given, a key goes up to the longest of them, dots and all.
    """
    sample: Sample | None = None
    with path.open("rb") as file:
        try:
            for member in _members(file):
                key, ending = _split(member.name, endings)
                if sample is None or sample.key != key:
                    if sample is not None:
                        yield sample
                    sample = Sample(key)
                _add(sample, member, ending, file, wanted)
        # Whatever bytes may do to the reading of a header.
        except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
            sample = sample or Sample("")
            sample.problems.append(
                Problem("malformed_row", f"The tar file breaks off here: {one_line(error)}.")
            )
        if sample is not None:
            yield sample


def _members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """Members that are files, or claim to be something worse; memory does not grow with them.

    Raises:
        tarfile.ReadError: the file is damaged, or ends before its end mark.
    """
    with tarfile.open(fileobj=_Bounded(file), mode="r:") as tar:  # type: ignore[call-overload]
        while member := tar.next():
            tar.members.clear()
            if member.size < 0:
                raise tarfile.ReadError("a member of negative size")
            if not member.isdir() and not PurePosixPath(member.name).name.startswith("."):
                yield member
        # The standard library takes a damaged header for the end.
        _check_end(file, tar.offset)


class _Bounded:
    """A file that refuses to be read in blocks larger than any honest header."""

    def __init__(self, file: BinaryIO) -> None:
        self.tell, self.seek, self._file = file.tell, file.seek, file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)


def _check_end(file: BinaryIO, offset: int) -> None:
    file.seek(offset)
    block = file.read(_BLOCK_BYTES)
    if len(block) < _BLOCK_BYTES:
        raise tarfile.ReadError("its end mark is missing")
    if any(block):
        raise tarfile.ReadError("a header is not readable")
    while chunk := file.read(_CHUNK_BYTES):
        if any(chunk):
            raise tarfile.ReadError("more data follows its end mark")


def _split(name: str, endings: Collection[str]) -> tuple[str, str]:
    """`./a/b.Seg.PNG` as `a/b` and `seg.png`."""
    path = PurePosixPath(name)
    known = [ending for ending in endings if path.name.lower().endswith(f".{ending}")]
    longest = max(known, key=len, default="")
    stem, _, ending = path.name.partition(".")
    if longest:
        stem, ending = path.name[: -len(longest) - 1], longest
    return path.with_name(stem).as_posix() if stem else name, ending.lower()


def _add(
    sample: Sample, member: tarfile.TarInfo, ending: str, file: BinaryIO, wanted: Wanted
) -> None:
    """Take a member into its sample, or tell why not."""
    problem = _unfit(member, ending, sample)
    verdict = problem or wanted(ending, member.size)
    sample.sizes[ending] = member.size
    if isinstance(verdict, Problem):
        sample.problems.append(verdict)
    elif verdict:
        file.seek(member.offset_data)
        content = file.read(member.size)
        if len(content) < member.size:
            raise tarfile.ReadError(f"{member.name!r} is cut short")
        sample.content[ending] = content


def _unfit(member: tarfile.TarInfo, ending: str, sample: Sample) -> Problem | None:
    if is_broken(member.name):
        return Problem("malformed_row", "A member's name is not valid UTF-8.")
    if leads_out(member.name):
        return Problem("unsafe_path", f"{member.name!r} leads out of the tar file.")
    if not member.isreg():
        return Problem("unsafe_path", f"{member.name!r} is a link or a device, and no file.")
    if member.issparse():
        return Problem("malformed_row", f"{member.name!r} is a file with holes.")
    if ending in sample.sizes:
        return Problem("malformed_row", f"{member.name!r} is there twice.")
    return None
