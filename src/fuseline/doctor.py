"""What would make a run fail or differ here, each with its remedy."""

from __future__ import annotations

import configparser
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from fuseline.config import PARAMS_FILE, load_section, read_yaml
from fuseline.errors import ConfigError
from fuseline.params.base import BaseParams
from fuseline.params.whole import check

CONSTRAINTS_FILE = "constraints.txt"
GIGABYTE = 10**9
FATAL_DISK_GIGABYTES = 1
LOW_DISK_GIGABYTES = 5


class Level(StrEnum):
    """How bad a finding is; only `FATAL` stops a run."""

    OK = "ok"
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True)
class Finding:
    """One thing looked at, what was found, and what to do where it is not well."""

    level: Level
    subject: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.level.upper():<8} {self.subject}: {self.found}"
        return f"{line}\n         -> {self.remedy}" if self.remedy else line


def examine(root: Path) -> list[Finding]:
    """Look at everything that a run at `root`, the repository's folder, depends on."""
    examinations: list[Callable[[Path], Finding]] = [
        _python,
        _requirements,
        _versions,
        _params,
        _threads,
        _disk,
        _dvc,
        _remote,
    ]
    return [examination(root) for examination in examinations]


def _python(root: Path) -> Finding:
    del root
    wanted = SpecifierSet(metadata.metadata("fuseline")["Requires-Python"])
    found = platform.python_version()
    if found in wanted:
        return Finding(Level.OK, "python", found)
    return Finding(
        Level.FATAL, "python", f"{found}, wanted {wanted}", "Remove .venv, then run make setup."
    )


def _requirements(root: Path) -> Finding:
    """Whether all packages are there that the pipeline imports."""
    del root
    wanted = [Requirement(text) for text in metadata.requires("fuseline") or []]
    names = [item.name for item in wanted if item.marker is None or item.marker.evaluate()]
    missing = [name for name in names if _installed(name) is None]
    if not missing:
        return Finding(Level.OK, "packages", f"all {len(names)} are installed")
    return Finding(
        Level.FATAL, "packages", f"not installed: {', '.join(missing)}", "Run make setup."
    )


def _versions(root: Path) -> Finding:
    """Whether the packages have the versions that the project was tested with."""
    path = root / CONSTRAINTS_FILE
    if not path.exists():
        return Finding(
            Level.WARNING, "versions", f"no {CONSTRAINTS_FILE}", "Run from the repository's root."
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line]
    other = [
        f"{name} {installed} instead of {version}"
        for name, version in pins
        if (installed := _installed(name)) not in (None, version)
    ]
    if not other:
        return Finding(Level.OK, "versions", f"as in {CONSTRAINTS_FILE}")
    return Finding(
        Level.WARNING, "versions", ", ".join(other), "Results may differ. Run make setup."
    )


def _installed(name: str) -> str | None:
    """Version of a package without its build's label, such as `+cpu`."""
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _params(root: Path) -> Finding:
    try:
        check(read_yaml(root / PARAMS_FILE))
    except ConfigError as error:
        return Finding(Level.FATAL, "params", str(error), f"Mend {PARAMS_FILE}.")
    return Finding(Level.OK, "params", "every key is known and every value valid")


def _threads(root: Path) -> Finding:
    try:
        wanted = load_section("base", BaseParams, root / PARAMS_FILE).num_threads
    except ConfigError:
        return Finding(Level.WARNING, "cores", "not compared: base.num_threads cannot be read")
    cores = os.cpu_count() or 1
    found = f"{cores} for base.num_threads = {wanted}"
    if cores >= wanted:
        return Finding(Level.OK, "cores", found)
    return Finding(
        Level.WARNING,
        "cores",
        found,
        "A run works but is slow. Fewer threads may change the last digits of results.",
    )


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free / GIGABYTE
    found = f"{free:.1f} GB free"
    if free >= LOW_DISK_GIGABYTES:
        return Finding(Level.OK, "disk", found)
    level = Level.FATAL if free < FATAL_DISK_GIGABYTES else Level.WARNING
    remedy = "Free some: dvc gc --workspace removes what no current stage uses."
    return Finding(level, "disk", found, remedy)


def _dvc(root: Path) -> Finding:
    if not (root / ".dvc").is_dir():
        return Finding(
            Level.FATAL, "dvc", "no .dvc folder here", "Run from the root of a clone, or dvc init."
        )
    cache = root / ".dvc" / "cache"
    if not os.access(cache if cache.exists() else cache.parent, os.W_OK):
        return Finding(
            Level.FATAL, "dvc", f"{cache} is not writable", "Give yourself the right to write."
        )
    return Finding(Level.OK, "dvc", "cache is writable" if cache.exists() else "cache is empty")


def _remote(root: Path) -> Finding:
    config = configparser.ConfigParser(interpolation=None)
    config.read([root / ".dvc" / name for name in ("config", "config.local")])
    remotes = [name for name in config.sections() if "remote " in name]
    if remotes:
        return Finding(Level.OK, "remote", f"{len(remotes)} configured")
    return Finding(
        Level.WARNING,
        "remote",
        "none configured, so data and models stay on this machine",
        "To share them: dvc remote add --default storage URL.",
    )
