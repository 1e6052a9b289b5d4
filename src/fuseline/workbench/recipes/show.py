"""What a recipe did to a project, in words."""

from __future__ import annotations

from pathlib import Path

from fuseline.workbench.project.files import RECIPES
from fuseline.workbench.recipes.lay import Laid
from fuseline.workbench.recipes.recipe import README, Recipe


def laid_over(recipe: Recipe, laid: Laid) -> str:
    """What lies in the project now, and where to read on."""
    lines = [f"Recipe {recipe.name}: {recipe.about}"]
    if laid.put:
        lines.append(f"Put in place: {', '.join(map(str, laid.put))}.")
    lines += [
        f"{place} was there and stays as it is. For the recipe's own, move it away and run this"
        " again."
        for place in laid.kept
    ]
    lines.append(f"How to go on: {Path(RECIPES, recipe.name, README)}")
    return "\n".join(lines)
