"""Builds what is published of this repository, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.repository import copy_tracked

# Any one moment: files in an archive bear it in place of their own.
MOMENT = {"SOURCE_DATE_EPOCH": "1700000000"}


def clone(root: Path) -> Path:
    """A fresh copy of what git tracks, to build in."""
    copy_tracked(root)
    return root


def build(root: Path, kind: str, out: Path) -> Path:
    """Call the build backend as `pip wheel` and `python -m build` do.

    Args:
        root: of the sources; the build leaves files of its own in it.
        kind: `wheel` or `sdist`.
        out: folder for what is built.

    Returns:
        The file that was built.
    """
    out.mkdir(parents=True, exist_ok=True)
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(out)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=os.environ | MOMENT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]
