"""Files that count as finished are on the disk before they bear their names.

A rename reaches the disk on its own: after a power cut a name may stand there for a file whose
content never did. So content is written out first, then the name, then the folder that holds it.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

# Of a file system that has no such call for a file or a folder: there is nothing to wait for.
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF}


def settle(path: Path) -> None:
    """Wait until the disk holds a file, or a folder with all that is in it."""
    if path.is_dir():
        for place, _, names in os.walk(path):
            for name in names:
                _sync(Path(place) / name)
            _sync(Path(place))
    else:
        _sync(path)


def put(partial: Path, path: Path) -> None:
    """Give a written file or folder its name, in place of what bore it."""
    settle(partial)
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    partial.replace(path)
    _sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    put(partial, path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)
