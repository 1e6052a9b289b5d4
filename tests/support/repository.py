"""Where the repository under test lies, its shipped params, and copies of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PARAMS_FILE = REPOSITORY / "params.yaml"


def tracked(*below: str) -> list[str]:
    """Files that git tracks or would track, relative to the root, of these folders or of all."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *below],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return [name for name in listed if name and (REPOSITORY / name).is_file()]


def copy_tracked(root: Path, without: Collection[str] = ()) -> None:
    """Copy those files to another root, but for some."""
    for name in tracked():
        if name not in without:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name)
