"""Which files of Fuseline's repository a project has or may have, and where they lie.

They are its own pipeline and its recipes, at its root, once. A wheel has copies of them beside this
module, which its build makes (`setup.py` reads this file, so it imports nothing of the package);
from a checkout they are read where they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# Where a wheel has them, beside this module.
CARRIED = "carried"
# What only a project has, beside this module in a checkout too.
OWN = Path(__file__).parent / "own"
PATTERNS = (
    *("dvc.yaml", "params.yaml", "tune.yaml", "stages/**/*.py", "constraints.txt"),
    *(".gitignore", ".dvcignore", ".dvc/.gitignore", ".dvc/config", ".dvc/plots/*.json"),
    "data/raw/.gitkeep",
)
# What is not in every project: `fuseline init --recipe` lays one of them over it.
RECIPES = "recipes"


def carried() -> Path:
    """The folder that they lie in: of the installed package, or the root of its repository."""
    installed = Path(__file__).parent / CARRIED
    return installed if installed.is_dir() else Path(__file__).parents[4]


def files_of(root: Path) -> Iterator[Path]:
    """Paths of those of every project below the folder that they lie in, relative, in order."""
    for pattern in PATTERNS:
        yield from sorted(path.relative_to(root) for path in root.glob(pattern))


def recipes_of(root: Path) -> Iterator[Path]:
    """Paths of all recipes' files, the same way."""
    yield from sorted(
        path.relative_to(root) for path in (root / RECIPES).rglob("*") if path.is_file()
    )
