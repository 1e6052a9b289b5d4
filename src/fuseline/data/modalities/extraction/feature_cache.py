"""Features that were computed before, by what they were computed from.

A key says all that can change a feature: the medium, the encoder, the code, the machine. So an
entry never goes stale, and whether it is found changes how long a stage takes, never what it
writes. Trouble with the store costs time only: a warning is printed and features are computed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from fuseline.errors import ConfigError

T = TypeVar("T")

CACHE_FOLDER = ".feature_cache"
SIZE_VARIABLE = "FUSELINE_FEATURE_CACHE_GB"
DEFAULT_GB = 8.0
LAYOUT = 1
WAIT_SECONDS = 60.0
# After an eviction there is room for some time, so that not every write evicts.
KEPT_SHARE = 0.9
# SQLite takes no larger value.
MOST_ENTRY_BYTES = 900_000_000

_TABLES = """
CREATE TABLE IF NOT EXISTS entries(
    id INTEGER PRIMARY KEY, key BLOB UNIQUE, size INTEGER, checksum INTEGER, used INTEGER);
CREATE INDEX IF NOT EXISTS by_use ON entries(used, id, size);
CREATE TABLE IF NOT EXISTS contents(id INTEGER PRIMARY KEY, content BLOB);
"""
# Reading or writing fails for a reason that lies outside the file: it is left as it is.
_OUTSIDE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}


def cache_folder() -> Path:
    """The cache's folder, in the main repository even within an experiment's temporary copy."""
    return Path(os.environ.get("DVC_ROOT", ".")) / CACHE_FOLDER


def cache_bytes() -> int:
    """Size limit that the environment asks for; 0 turns the cache off.

    Raises:
        ConfigError: the variable is no finite number from 0 up.
    """
    asked = os.environ.get(SIZE_VARIABLE, str(DEFAULT_GB))
    try:
        size = float(asked)
    except ValueError:
        size = -1.0
    if not 0.0 <= size < float("inf"):
        raise ConfigError(
            f"{SIZE_VARIABLE}: expected a number of gigabytes, 0 or more, found '{asked}'."
        )
    return int(size * 1e9)


class FeatureCache:
    """A bounded store from keys to bytes in one SQLite file, the least recently used leaving first.

    Processes may share it, and a kill at any moment leaves it whole. Every content is checked
    when it is read, and a damaged one counts as absent.

    Args:
        folder: where the file lies; None stores nothing.
        max_bytes: of the contents; 0 stores nothing.
    """

    def __init__(self, folder: Path | None, max_bytes: int) -> None:
        self._path = folder / "features.sqlite" if folder and max_bytes else None
        self._max_bytes = max_bytes
        self._database: sqlite3.Connection | None = None

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Contents of those keys that are there."""
        wanted = list(dict.fromkeys(keys))
        return self._attempt(lambda database: _read(database, wanted), {})

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Store all entries or, if killed, none; then evict what exceeds the limit."""
        fitting = {
            key: content for key, content in entries.items() if len(content) <= MOST_ENTRY_BYTES
        }
        self._attempt(lambda database: _write(database, fitting, self._max_bytes), None)

    def close(self) -> None:
        """Release the file; the next use opens it again."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _attempt(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Run `work`, or give `otherwise` where the store does not serve."""
        if self._path is None:
            return otherwise
        try:
            if self._database is None:
                self._database = _open(self._path)
            return work(self._database)
        except (sqlite3.DatabaseError, OSError) as error:
            self.close()
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if isinstance(error, OSError) or code in _OUTSIDE:
                _warn(f"{self._path}: {error}. Features are computed without it.")
                self._path = None
            else:
                _warn(f"{self._path}: damaged ({error}). It is removed and begun anew.")
                shutil.rmtree(self._path.parent, ignore_errors=True)
        return otherwise


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_locks(path.parent)
    database = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        # These two count only before the first table is made.
        database.execute("PRAGMA page_size = 16384")
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        # A kill loses nothing so; a power cut may damage the file, which is then made anew.
        database.execute("PRAGMA synchronous = OFF")
        (layout,) = database.execute("PRAGMA user_version").fetchone()
        if layout not in (0, LAYOUT):
            raise sqlite3.DatabaseError(f"layout {layout}, expected {LAYOUT}")
        database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {LAYOUT}; COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _check_locks(folder: Path) -> None:
    """Raise OSError where the file system lacks the locks that SQLite takes: it would wait for them
    in vain, or call the file damaged."""
    with tempfile.TemporaryFile(dir=folder) as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(database: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, bytes]:
    query = "SELECT id, checksum, content FROM entries JOIN contents USING (id) WHERE key = ?"
    found, used, damaged = {}, [], []
    for key in keys:
        row = database.execute(query, (key,)).fetchone()
        if row is None:
            continue
        number, checksum, content = row
        if isinstance(content, bytes) and _checksum(key, content) == checksum:
            found[key] = content
            used.append((time.time_ns(), number))
        else:
            damaged.append((number,))
    if used or damaged:
        with _Transaction(database):
            database.executemany("UPDATE entries SET used = ? WHERE id = ?", used)
            _delete(database, damaged)
    return found


def _write(database: sqlite3.Connection, entries: Mapping[bytes, bytes], max_bytes: int) -> None:
    with _Transaction(database):
        for key, content in entries.items():
            old = database.execute("SELECT id FROM entries WHERE key = ?", (key,)).fetchall()
            _delete(database, old)
            added = database.execute(
                "INSERT INTO entries(key, size, checksum, used) VALUES (?, ?, ?, ?)",
                (key, len(content), _checksum(key, content), time.time_ns()),
            )
            database.execute("INSERT INTO contents VALUES (?, ?)", (added.lastrowid, content))
        (total,) = database.execute("SELECT COALESCE(SUM(size), 0) FROM entries").fetchone()
        if total > max_bytes:
            _evict(database, total - int(KEPT_SHARE * max_bytes))
    (free,) = database.execute("PRAGMA freelist_count").fetchone()
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    if free > pages // 4:
        # A script is stepped to its end, which `execute` does not do for this pragma.
        database.executescript("PRAGMA incremental_vacuum")


def _evict(database: sqlite3.Connection, excess: int) -> None:
    """Delete the least recently used until at least `excess` bytes are gone."""
    leaving = []
    for number, size in database.execute("SELECT id, size FROM entries ORDER BY used, id"):
        if excess <= 0:
            break
        leaving.append((number,))
        excess -= size
    _delete(database, leaving)


def _delete(database: sqlite3.Connection, numbers: list[tuple[int]]) -> None:
    database.executemany("DELETE FROM entries WHERE id = ?", numbers)
    database.executemany("DELETE FROM contents WHERE id = ?", numbers)


class _Transaction:
    """Takes the write lock at once, so that two writers wait for each other, never clash."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def __enter__(self) -> None:
        self.database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.database.execute("COMMIT")
        elif self.database.in_transaction:
            self.database.execute("ROLLBACK")


def _checksum(key: bytes, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(key))


def _warn(message: str) -> None:
    warnings.warn(f"feature cache {message}", stacklevel=2)
