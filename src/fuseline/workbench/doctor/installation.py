"""The environment that a run has: Python, packages, params, cores, precision."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

from fuseline.config import PARAMS_FILE, load_section, read_yaml
from fuseline.errors import ConfigError, FuselineError
from fuseline.params.base import BaseParams
from fuseline.params.whole import check
from fuseline.pipeline.environment import lack_of_cores, needed_packages, precision_used
from fuseline.pipeline.machine import available_cores, available_memory
from fuseline.pipeline.weighed_labels import EXAMPLES_FOLDER, check_weights
from fuseline.workbench.doctor.finding import Finding, Level, size

CONSTRAINTS_FILE = "constraints.txt"
# `evaluate` of 390 rows with large photographs was seen to take 3.6 GB.
LEAST_MEMORY = 4 * 10**9


def python(_: Path) -> Iterator[Finding]:
    """Whether this Python is one that the project runs on."""
    wanted = SpecifierSet(metadata.metadata("fuseline")["Requires-Python"])
    found = platform.python_version()
    if found in wanted:
        yield Finding(Level.OK, "python", found)
    else:
        made = "python3.11 -m venv .venv && source .venv/bin/activate"
        remedy = f"rm -rf .venv && {made} && make setup"
        yield Finding(Level.FATAL, "python", f"{found}, wanted {wanted}", remedy)


def packages(_: Path) -> Iterator[Finding]:
    """Whether all packages are there that the pipeline imports."""
    names = needed_packages()
    missing = [name for name in names if installed(name) is None]
    if missing:
        found = f"not installed: {', '.join(missing)}"
        yield Finding(Level.FATAL, "packages", found, "Run make setup.")
    else:
        yield Finding(Level.OK, "packages", f"all {len(names)} are installed")


def versions(root: Path) -> Iterator[Finding]:
    """Whether the packages have the versions that the project was tested with."""
    path = root / CONSTRAINTS_FILE
    if not path.exists():
        remedy = "Run from the repository's root."
        yield Finding(Level.WARNING, "versions", f"no {CONSTRAINTS_FILE}", remedy)
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line]
    other = [
        f"{name} {found} instead of {version}"
        for name, version in pins
        if (found := installed(name)) not in (None, version)
    ]
    if other:
        remedy = "Results may differ. Run make setup."
        yield Finding(Level.WARNING, "versions", ", ".join(other), remedy)
    else:
        yield Finding(Level.OK, "versions", f"as in {CONSTRAINTS_FILE}")


def installed(name: str) -> str | None:
    """Version of a package without its build's label, such as `+cpu`."""
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None


def params(root: Path) -> Iterator[Finding]:
    """Whether every key and value of the params is valid, and weighs labels that there are."""
    try:
        content = read_yaml(root / PARAMS_FILE)
        check(content)
    except ConfigError as error:
        yield Finding(Level.FATAL, "params", str(error), f"Mend {PARAMS_FILE}.")
        return
    try:
        if (root / EXAMPLES_FOLDER).exists():
            check_weights(content, root / EXAMPLES_FOLDER)
    except FuselineError as error:
        remedy = f"Mend {PARAMS_FILE}, or run dvc repro ingest if that brings the label."
        yield Finding(Level.WARNING, "params", str(error), remedy)
    else:
        yield Finding(Level.OK, "params", "every key is known and every value valid")


def cores(root: Path) -> Iterator[Finding]:
    """Whether there are as many cores as a run has threads."""
    base = _base(root)
    if base is None:
        found = "not compared: base.num_threads cannot be read"
        yield Finding(Level.WARNING, "cores", found, f"Mend {PARAMS_FILE}.")
        return
    lack = lack_of_cores(base.num_threads)
    if lack:
        remedy = "Give the run more cores. Do not lower base.num_threads: that changes last digits."
        yield Finding(Level.WARNING, "cores", lack, remedy)
    else:
        found = f"{available_cores():.3g} for base.num_threads = {base.num_threads}"
        yield Finding(Level.OK, "cores", found)


def memory(_: Path) -> Iterator[Finding]:
    """Whether there is as much memory as a run of some hundred rows may take."""
    total = available_memory()
    found = f"{size(total)} for a run"
    if total >= LEAST_MEMORY:
        yield Finding(Level.OK, "memory", found)
        return
    remedy = (
        f"Give the machine or the container {size(LEAST_MEMORY)} or more: a run that asks for more"
        " than there is, is killed without a word."
    )
    yield Finding(Level.WARNING, "memory", found, remedy)


def precision(root: Path) -> Iterator[Finding]:
    """Which number format a run would use here."""
    base = _base(root)
    if base is None:
        return
    used = precision_used(base.precision)
    if base.precision != "auto":
        yield Finding(Level.OK, "precision", used)
        return
    found = f"{used}, by this processor, since base.precision is auto"
    yield Finding(Level.OK, "precision", found)


def _base(root: Path) -> BaseParams | None:
    try:
        return load_section("base", BaseParams, root / PARAMS_FILE)
    except ConfigError:
        return None
