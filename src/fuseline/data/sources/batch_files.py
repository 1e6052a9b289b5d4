"""Which files a source reads, in which order: one file, a folder of them, or a pattern."""

from __future__ import annotations

import glob
import re
from collections.abc import Collection
from pathlib import Path

from fuseline.errors import ConfigError

_WORKBOOK = (
    "A workbook is not read: in the spreadsheet program, save its sheet as 'CSV UTF-8', and name"
    " that file."
)
_UNPACK = "Unpack it, and name the file that was in it."
_WORD_A_LINE = (
    "A word a line is not read: write a file ending in .jsonl with a line for each sentence, such"
    ' as {"text": "Ada left", "tags": "B-person O"}, and name that file.'
)
# What to do with files that people have instead.
_ADVICE = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"), _WORKBOOK),
    **dict.fromkeys((".zip", ".bz2", ".xz", ".zst", ".7z", ".rar", ".gz"), _UNPACK),
    ".txt": "If it is a table with a header, rename it to end in .csv, or in .tsv for tabs.",
    ".tab": "Rename it to end in .tsv.",
    ".ndjson": "Rename it to end in .jsonl.",
    **dict.fromkeys((".conll", ".conllu", ".iob", ".bio"), _WORD_A_LINE),
}


def batch_files(
    path: str | None,
    endings: Collection[str],
    *,
    where: str,
    in_folder: Collection[str] | None = None,
) -> list[Path]:
    """Files in the order of their names, in which numbers count as numbers (`2` before `10`).

    A folder stands for the files in it with one of the endings, not for those of its folders.

    Args:
        path: what the params say.
        endings: lower-case, with the dot.
        where: the params key.
        in_folder: those of them that count within a folder; all by default.

    Raises:
        ConfigError: nothing is there, a file cannot be read, or one has another ending.
    """
    shown = ", ".join(endings)
    if not path:
        raise ConfigError(
            f"{where}: expected a file ({shown}), a folder or a pattern, found null."
            " Set it to your file, for example data/raw/rows"
            f"{next(iter(endings))}."
        )
    files = _found(Path(path), path, in_folder or endings)
    if not files:
        raise ConfigError(
            f"{where}: expected files ending in {shown}, found none in '{path}'. Put one there."
        )
    for file in files:
        _check(file, endings, where)
    return sorted(files, key=_in_order)


def _found(path: Path, pattern: str, endings: Collection[str]) -> list[Path]:
    if path.is_dir():
        return [
            file
            for file in path.iterdir()
            if has_ending(file, endings) and not file.name.startswith(".") and file.is_file()
        ]
    if path.exists() or not glob.has_magic(pattern):
        return [path]
    # `Path.glob` takes no absolute pattern, and finds hidden files.
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207
    return [Path(name) for name in names if not Path(name).is_dir()]


def conversion_of(file: Path) -> str | None:
    """What to do with a file that no source reads; None where its ending tells nothing."""
    return _ADVICE.get(file.suffix.lower())


def has_ending(file: Path, endings: Collection[str]) -> bool:
    """Whether a file's name ends so, in any case."""
    return file.name.lower().endswith(tuple(endings))


def _check(file: Path, endings: Collection[str], where: str) -> None:
    if not has_ending(file, endings):
        advice = conversion_of(file) or "Convert the file, or narrow the pattern."
        raise ConfigError(
            f"{where}: expected a file ending in {', '.join(endings)}, found '{file}'. {advice}"
        )
    try:
        # Opened once here, so that a file that cannot be read is found before any work.
        file.open("rb").close()
    except OSError as error:
        raise ConfigError(
            f"{where}: '{file}' cannot be read ({error.strerror}). Relative paths start at"
            " the root of the repository."
        ) from None


def _in_order(file: Path) -> tuple[list[tuple[int, str]], str]:
    """The tenth batch of `batch_2`, `batch_10` comes after the second; a tie is broken."""
    name = file.as_posix()
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], name
