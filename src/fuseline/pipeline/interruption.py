"""How a stage ends before its time: by a signal, or because a disk is full.

Outputs are moved into place whole at the end and checkpoints count only when they are whole, so
nothing needs to be cleaned up on the way out.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Who started this process, as far as can be told: it has run for a moment before this.
STARTED_BY = os.getppid()
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# How libraries that are not written in Python spell it.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def end_on_signals() -> None:
    """Answer the signals of a user or a scheduler with one line and a status that is not 0; those
    that the process was started to ignore, as in the background of a script, stay so."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: end(signal.Signals(number).name, 128 + number))


def end(reason: str, status: int) -> NoReturn:
    """End this process at once, from any thread, with one line that says why.

    An exception would be raised wherever the main thread happens to be, within the libraries'
    callbacks too, which print it or lose it.
    """
    stage = Path(sys.argv[0]).stem
    line = (
        f"\n{stage}: stopped by {reason}. What was finished is kept; `dvc repro` goes on from"
        " there.\n"
    )
    with suppress(OSError):
        os.write(2, line.encode())
    os._exit(status)


def watch(processes: Sequence[psutil.Process], then: Callable[[], object]) -> None:
    """Call a function, from a thread of its own, once one of the processes has ended."""

    def wait() -> None:
        while all(map(_is_alive, processes)):
            time.sleep(1.0)
        then()

    threading.Thread(target=wait, daemon=True, name="watch").start()


def _is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that ended and was not waited for yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def full_disk(error: BaseException) -> str | None:
    """What the system said, after the path where a library tells it, if a full disk is why an
    exception came about; None for any other."""
    found = None
    for one in _chain(error):
        number = one.errno if isinstance(one, OSError) else _spelt(one)
        if number in FULL:
            found = found or os.strerror(number)
            if isinstance(one, OSError) and one.filename:
                return f"{one.filename}: {os.strerror(number)}"
    return found


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _spelt(error: BaseException) -> int | None:
    match = _OS_ERROR.search(str(error))
    return int(match[1]) if match else None
