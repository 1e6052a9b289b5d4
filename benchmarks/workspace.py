"""A clean clone of this repository in a temporary folder, with the environment that runs now."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fuseline.params.whole import set_keys

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# For benchmarks that read nothing of how robust a model is, which is what most of an evaluation
# goes to.
FEW_ATTACKS = {
    "evaluate.robustness.attack.num_steps": 1,
    "evaluate.robustness.num_restarts": 1,
    "evaluate.robustness.curve_restarts": 1,
    "evaluate.robustness.scales": [1.0, 8.0],
    "evaluate.robustness.audit.max_rows": 1,
    "evaluate.robustness.audit.black_box_queries": 1,
    "evaluate.robustness.image_pixel.max_rows": 0,
}


@contextmanager
def clean_clone(origin: Path = ROOT) -> Iterator[Path]:
    """Clone a repository's committed state; the clone has no outputs, and a cache of its own unless
    the repository's settings of DVC name one."""
    with tempfile.TemporaryDirectory(prefix="fuseline-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(origin), str(clone)], check=True)
        yield clone


def environment(clone: Path) -> dict[str, str]:
    """The variables for commands in the clone: the package is the clone's too, although the
    environment has that of this repository."""
    paths = {
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        "PYTHONPATH": str(clone / "src"),
    }
    return os.environ | paths


def run(clone: Path, *command: str) -> None:
    """Run a command of the environment in the clone, its output passed through."""
    subprocess.run(command, cwd=clone, check=True, env=environment(clone))


def peak_memory(clone: Path, *command: str) -> float:
    """Run a command as `run` does; GiB of the largest process that it started."""
    process = subprocess.Popen(command, cwd=clone, env=environment(clone))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss / 2**20


def change_params(clone: Path, values: dict[str, Any]) -> None:
    """Change keys of the clone's params file, given by their dotted names; comments are kept."""
    path, yaml = clone / "params.yaml", YAML()
    content = yaml.load(path.read_text(encoding="utf-8"))
    set_keys(content, values)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
