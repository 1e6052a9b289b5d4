"""`fuseline init`: a project's params for somebody's data, for a recipe, or for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.config import PARAMS_FILE
from fuseline.errors import ConfigError
from fuseline.workbench import scaffold
from fuseline.workbench.recipes.lay import lay, refuse_blocked
from fuseline.workbench.recipes.overlay import leaves, overlay
from fuseline.workbench.recipes.recipe import Recipe, propose, read_recipe
from fuseline.workbench.recipes.show import laid_over


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        file: the data; None to leave them as they are.
        recipe: its name; None for none.
        root: of the project.
        copy: whether data from elsewhere may be copied.
        uses: entries such as `price=target:number`.
    """

    file: Path | None
    recipe: str | None
    root: Path
    copy: bool
    uses: Sequence[str]


@dataclass(frozen=True)
class _Data:
    """Somebody's data: what they are, where they are to lie, and where to copy them."""

    proposal: scaffold.Proposal
    place: str
    folder: Path | None


def set_up(asked: Asked, ask: Callable[[str], None] | None) -> str:
    """Show what was found, ask, then write; return what to do next.

    Args:
        asked: what to set up.
        ask: goes on only where somebody says yes to a question; None to go on.

    Raises:
        ConfigError, ContractError: nothing was written, and why.
    """
    if asked.file is None and asked.recipe is None:
        raise ConfigError(
            "expected your data or a recipe, found neither: fuseline init FILE, or fuseline init"
            " --recipe NAME"
        )
    params = asked.root / PARAMS_FILE
    recipe = read_recipe(asked.recipe) if asked.recipe else None
    files = _files_of(recipe, with_example=asked.file is None)
    refuse_blocked(files, asked.root)
    before = scaffold.read_params(params)
    data = _found(asked, asked.file, recipe) if asked.file else None
    text = scaffold.with_values(params, before, lambda: _values(before, data, recipe))
    if ask:
        ask(f"Write this to {params}?")
    copied = scaffold.bring(data.proposal, data.folder) if data and data.folder else None
    laid = lay(files, asked.root) if recipe else None
    kept = scaffold.replace_params(params, text)
    told = [scaffold.next_steps(data.proposal, data.place, copied, kept)] if data else []
    if recipe and laid:
        if not data:
            told.append(f"params.yaml is set. {scaffold.kept_as(kept)}")
        told.append(laid_over(recipe, laid))
    return "\n\n".join(told)


def _found(asked: Asked, file: Path, recipe: Recipe | None) -> _Data:
    """Look at the data and show what was found."""
    proposal = propose(recipe, file, scaffold.told_fields(asked.uses))
    print(scaffold.table(proposal))
    scaffold.refuse_without_target(proposal)
    return _Data(proposal, *scaffold.place_of(file, asked.root, copy=asked.copy))


def _files_of(recipe: Recipe | None, *, with_example: bool) -> dict[Path, Path]:
    if recipe is None:
        return {}
    return {**recipe.files, **(recipe.example_files if with_example else {})}


def _values(before: dict[str, Any], data: _Data | None, recipe: Recipe | None) -> dict[str, Any]:
    """Values by dotted key: of the data, or of those that the recipe brings, and over them the
    recipe's own."""
    if data:
        source = scaffold.settings(before, data.proposal, data.place)
    else:
        source = dict(leaves(recipe.example, before)) if recipe else {}
    return overlay(recipe.params, before, source) if recipe else source
