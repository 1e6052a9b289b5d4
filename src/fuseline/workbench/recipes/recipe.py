"""What a recipe is: a folder of `recipes/`, at the root of Fuseline's repository or in its wheel.

- `recipes/mood/recipe.yaml`, say: `about`, a sentence; `uses`, what columns of these names are for,
  as `--use` says it.
- `params.yaml` beside it: the part of the params that it sets, any depth of it.
- `README.md`: how to go on, which comes to lie at the same place in the project.
- `project/`: files for the project's root, each at its place.
- `example.yaml` and `example/`, if it brings data: as `params.yaml` and `project/`, where somebody
  names no data of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.config import PARAMS_FILE, Section, parse_section, read_yaml
from fuseline.registry import lookup
from fuseline.workbench import scaffold
from fuseline.workbench.project.files import RECIPES, carried
from fuseline.workbench.scaffold.guess import SHARED, Field

README = "README.md"
ABOUT = "recipe.yaml"
EXAMPLE = "example"


class _About(Section):
    about: str
    uses: dict[str, str]


@dataclass(frozen=True)
class Recipe:
    """One of them.

    Attributes:
        name: of its folder.
        about: a sentence.
        params: what it sets, nested as in the params.
        uses: what a column is for, by the name that it may have.
        files: by their place in the project, where they lie.
        example: params of the data that it brings, nested; empty where it brings none.
        example_files: of these data, as `files`.
    """

    name: str
    about: str
    params: Mapping[str, Any]
    uses: Mapping[str, Field]
    files: Mapping[Path, Path]
    example: Mapping[str, Any]
    example_files: Mapping[Path, Path]


def read_recipe(name: str) -> Recipe:
    """Read a recipe of this installation.

    Raises:
        ConfigError: there is none of that name; the message lists those there are.
    """
    folder = lookup(_folders(), name, where="--recipe")
    example = folder / f"{EXAMPLE}.yaml"
    about = parse_section({"recipe": read_yaml(folder / ABOUT)}, "recipe", _About)
    return Recipe(
        name,
        about.about,
        read_yaml(folder / PARAMS_FILE),
        scaffold.told_fields([f"{column}={use}" for column, use in about.uses.items()]),
        {Path(RECIPES, folder.name, README): folder / README, **_files(folder / "project")},
        read_yaml(example) if example.is_file() else {},
        _files(folder / EXAMPLE),
    )


def propose(recipe: Recipe | None, file: Path, told: Mapping[str, Field]) -> scaffold.Proposal:
    """Guess what columns are for, by what somebody said, then by the names that a recipe knows.

    Args:
        recipe: None without one.
        file: the file or folder.
        told: fields that somebody gave columns.

    Raises:
        ConfigError, ContractError: as without a recipe.
    """
    proposal = scaffold.propose(file, told)
    if recipe is None:
        return proposal
    there = {guess.column for guess in proposal.guesses} - told.keys()
    taken = {field for field in told.values() if field not in (None, *SHARED)}
    known = {
        column: field
        for column, field in recipe.uses.items()
        if column in there and field not in taken
    }
    return scaffold.propose(file, {**known, **told}) if known else proposal


def _folders() -> dict[str, Path]:
    return {path.parent.name: path.parent for path in (carried() / RECIPES).glob(f"*/{ABOUT}")}


def _files(below: Path) -> dict[Path, Path]:
    """Files by their place below a folder, none where there is no folder."""
    return {path.relative_to(below): path for path in sorted(below.rglob("*")) if path.is_file()}
