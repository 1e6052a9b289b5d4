"""Finished parts of a stage's work, which outlive a kill.

A part is kept whole or not at all, and is read back also where it was just made: so a run that goes
on works with the very values of one that was never stopped. What draws random numbers must draw
them from a seed of its own, or keep its generator's state in the part.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.contracts.durable import put

Arrays = dict[str, np.ndarray]


class Parts:
    """The parts of one run.

    Args:
        folder: the run's own, `StageRun.work`; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def values(self, name: str, make: Callable[[], Any]) -> Any:
        """A part that is JSON, keys in the order in which they were made.

        Args:
            name: of the part, a file name.
            make: gives it where it is not there yet.
        """
        content = self._content(
            f"{name}.json", lambda: json.dumps(make(), ensure_ascii=False).encode()
        )
        return json.loads(content)

    def arrays(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """A part that is arrays by name; arguments as of `values`."""

        def packed() -> bytes:
            buffer = io.BytesIO()
            # With a prefix no array bears the name of an argument.
            named: dict[str, Any] = {f"_{key}": value for key, value in make().items()}
            np.savez(buffer, **named)
            return buffer.getvalue()

        content = self._content(f"{name}.npz", packed)
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            return {key.removeprefix("_"): found[key] for key in found.files}

    def _content(self, name: str, make: Callable[[], bytes]) -> bytes:
        if self._folder is None:
            return make()
        path = self._folder / name
        if path.exists():
            return path.read_bytes()
        content = make()
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{name}.partial")
        partial.write_bytes(content)
        put(partial, path)
        return content
