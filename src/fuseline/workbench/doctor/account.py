"""What DVC and the libraries need of the account that runs them."""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuseline.pipeline.dvc_cache import dvc_config
from fuseline.workbench.doctor.finding import Finding, Level


def names(_: Path) -> Iterator[Finding]:
    """Whether the user has a name and a home, as far as DVC asks for them."""
    from dvc.dirs import global_config_dir

    well = True
    try:
        getpass.getuser()
    # Python 3.13 raises the latter.
    except (KeyError, OSError):
        well = False
        number = os.getuid()
        yield Finding(
            Level.FATAL,
            "account",
            f"user {number} has no name, and DVC asks for one",
            f"export USER=user{number}",
        )
    try:
        global_config_dir()
    except RuntimeError as error:
        well = False
        yield Finding(
            Level.FATAL,
            "account",
            f"user {os.getuid()} has no home, and DVC asks for one ({error})",
            "export HOME=$(mktemp -d), or to a folder of yours that stays",
        )
    if well:
        yield Finding(Level.OK, "account", "has a name and a home")


def folders(root: Path) -> Iterator[Finding]:
    """Whether the folders outside of the repository can be written that every run writes to."""
    from dvc.dirs import site_cache_dir

    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        remedy = "export TMPDIR=… to a folder that can be written"
        yield Finding(Level.FATAL, "folders", f"none for temporary files ({error})", remedy)
        return
    config = dvc_config(root) or {"core": {}}
    # DVC makes it where it is not there, and keeps an index of the repository in it.
    folder = Path(site_cache_dir(config["core"].get("site_cache_dir"))) / "repo"
    beside = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(beside, os.W_OK | os.X_OK):
        yield Finding(Level.OK, "folders", "temporary ones and DVC's own can be written")
        return
    found = f"{beside}, where DVC keeps what it knows of the repository, is not writable"
    remedy = 'export DVC_SITE_CACHE_DIR="$PWD/.dvc/tmp/site"'
    yield Finding(Level.FATAL, "folders", found, remedy)
