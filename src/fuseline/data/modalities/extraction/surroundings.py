"""What besides medium, params and weights can change a feature's last bits."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fuseline
from fuseline.pipeline.environment import processor
from fuseline.pipeline.provenance import SourceTree

# Libraries that decode media, prepare them or run a network.
LIBRARIES = (
    "av",
    "efficientnet-lite-pytorch",
    "numpy",
    "pillow",
    "pyarrow",
    "soundfile",
    "soxr",
    "torch",
    "transformers",
)


def surroundings(num_threads: int) -> dict[str, str | int]:
    """Libraries, processor and number of threads: kernels are chosen by them."""
    libraries = {f"library {name}": _version(name) for name in LIBRARIES}
    described = json.dumps(processor(), sort_keys=True)
    processor_hash = hashlib.sha256(described.encode()).hexdigest()
    return {"num_threads": num_threads, "processor": processor_hash, **libraries}


def code_hash(module: str) -> str:
    """SHA-256 over a module of this package and all that it imports, as the files are now.

    `code.json` says the same of a whole stage, but only as of the last `dvc repro`.
    """
    package = Path(fuseline.__file__).parent
    modules = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    return SourceTree(modules).hash_closure(module)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
