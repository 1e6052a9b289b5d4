"""Locks that go with the process that holds them, and file systems that have none."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuseline.errors import ContractError
from fuseline.pipeline.dvc_cache import dvc_config

# What network and user-space file systems answer that keep no locks.
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def held(path: Path, busy: str | None = None) -> Iterator[None]:
    """Hold the lock of a file, which is made where it is not there, or of a folder.

    Where the file system keeps no locks a warning is printed, once, and the work goes on without.

    Args:
        path: the file or folder.
        busy: what to say where another holds it; None to wait until it is free.

    Raises:
        ContractError: another living process holds it: `busy`.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(path, flags, 0o666)
    try:
        said = _lock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        if said:
            _warn(said)
        yield
    except _BusyError:
        raise ContractError(busy or "") from None
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock of a file, as far as its file system can tell."""
    if not path.is_file():
        return False
    with path.open() as file:
        try:
            _lock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except _BusyError:
            return True
    return False


def lack_of_locks(folder: Path) -> str:
    """What the file system of a folder says where it keeps no locks; else empty."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        return _lock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except _BusyError:
        return ""
    finally:
        os.close(handle)


def locks_by_links(root: Path) -> bool:
    """Whether DVC is set to lock by links, which every file system has: `core.hardlink_lock`."""
    config = dvc_config(root) or {"core": {}}
    return bool(config["core"].get("hardlink_lock"))


class _BusyError(Exception):
    """Another living process holds the lock."""


def _lock(handle: int, how: int) -> str:
    """Take a lock; what the file system says where it keeps none, else nothing."""
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        raise _BusyError from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return os.strerror(error.errno)
    return ""


@functools.cache
def _warn(said: str) -> None:
    root = Path(os.environ.get("DVC_ROOT", "."))
    # DVC locks the same way, and says of the failure that another DVC is at work.
    remedy = "" if locks_by_links(root) else " dvc config --local core.hardlink_lock true."
    print(
        f"warning: this file system keeps no locks ({said}), so two runs of one stage would not"
        f" know of each other. Start one `dvc repro` at a time.{remedy and f' For DVC:{remedy}'}",
        file=sys.stderr,
    )
