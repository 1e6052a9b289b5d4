"""A new project: a repository that holds the pipeline and runs the installed package."""

from __future__ import annotations

import os
import shlex
import shutil
from importlib import metadata
from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.pipeline.git import git
from fuseline.workbench.project.files import OWN, carried, files_of

NAME = "{name}"
WATCHED = "    deps: [src, stages]\n"
# An installed package has no path that every clone shares, so DVC cannot watch it.
ALWAYS = (
    "    # The installed package is code too, and DVC does not watch it. So this runs each time,\n"
    "    # for a second; what reads code.json runs where a hash in it has changed.\n"
    "    always_changed: true\n"
)


def create_project(folder: Path) -> None:
    """Make a project in a folder that is new or empty, without a network.

    Everything that belongs into git is staged, for the user to commit.

    Args:
        folder: where; its name becomes the title of the project's page. A repository that was just
            begun or cloned, with nothing but `.git` in it, counts as empty.

    Raises:
        ConfigError: there is something in the folder, or it cannot be made; the installed package
            lacks the files of a project; git cannot be run, or was told to work elsewhere.
    """
    _refuse_what_is_not_empty(folder)
    _refuse_another_repository()
    source = carried()
    if not (source / "dvc.yaml").is_file():
        raise ConfigError(
            f"{source}: expected dvc.yaml and the other files of a project, found none. Install"
            " Fuseline from its wheel again, or run it from its repository."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be made ({error.strerror}). Name a folder where you may write."
        ) from None
    git(folder, "init", "--quiet")
    for root, paths in ((source, files_of(source)), (OWN, _own())):
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, folder / path)
    _change(folder / "README.md", NAME, folder.resolve().name)
    _change(folder / "dvc.yaml", WATCHED, ALWAYS)
    with (folder / "constraints.txt").open("a", encoding="utf-8") as constraints:
        constraints.write(f"fuseline=={metadata.version('fuseline')}\n")
    git(folder, "add", "--all")


def next_steps(folder: Path) -> str:
    """What to do in a project that was just made."""
    return (
        f"{folder}: a repository with the pipeline, to be committed. What next:\n"
        f"  cd {shlex.quote(str(folder))}\n"
        "  make setup                      # what the pipeline runs on\n"
        "  git commit -m 'A new project'   # what later runs are compared with\n"
        "  fuseline init FILE --copy       # your data; without it, pictures that come built in\n"
        "  make repro                      # runs the pipeline, prints the figures"
    )


def _refuse_what_is_not_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: expected a new or empty folder, found a file. Name another.")
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if set(found) - {".git"}:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise ConfigError(
            f"{folder}: expected a new or empty folder, found {', '.join(found[:3])}{more} in it."
            " Name another folder, or empty this one. A project that is there reads other data"
            " after fuseline init FILE in it."
        )


def _refuse_another_repository() -> None:
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        if variable in os.environ:
            raise ConfigError(
                f"{variable} is set, so git would work in another repository than the new one."
                f" unset {variable}"
            )


def _own() -> list[Path]:
    return sorted(path.relative_to(OWN) for path in OWN.iterdir())


def _change(path: Path, was: str, becomes: str) -> None:
    """Replace what stands in a file once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(was) == 1, f"{path}: {was!r} stands in it {text.count(was)} times"
    path.write_text(text.replace(was, becomes), encoding="utf-8")
