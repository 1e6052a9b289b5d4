"""A file system that keeps no locks, as `flock` sees it."""

from __future__ import annotations

import fcntl
import os

import pytest

from fuseline.pipeline import locks


def without_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let every lock be answered by an error number, and the warning be told again."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "lockf", refuse)
    locks._warn.cache_clear()
