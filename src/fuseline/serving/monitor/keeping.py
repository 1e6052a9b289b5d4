"""What the monitor leaves on the disk, and how it goes on after a kill.

`state.json` is replaced whole. `alarms.jsonl` and `audit.jsonl` only grow, and the state says how
long they were when it was written: what a killed process wrote beyond is cut off, and written again
by the rows that are read again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fuseline.contracts.durable import write_text
from fuseline.errors import ConfigError

STATE, ALARMS, AUDIT = "state.json", "alarms.jsonl", "audit.jsonl"
VERSION = 1


class Kept:
    """A folder of it.

    Args:
        folder: made if it is not there.
        identity: what alarms hang on besides the rows; a state of another is refused.

    Attributes:
        content: of the state, as it was given to `keep`; None where there is none.

    Raises:
        ConfigError: the state is of another identity, or cannot be read.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder, self._identity = folder, json.loads(json.dumps(identity))
        folder.mkdir(parents=True, exist_ok=True)
        kept = self._read()
        self.content: dict[str, Any] | None = kept and kept["content"]
        lengths = kept["lengths"] if kept else {}
        self._lengths = {
            name: _cut(folder / name, lengths.get(name, 0)) for name in (ALARMS, AUDIT)
        }

    def add(self, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
        """Add lines of JSON to one of the logs, on the disk once this returns."""
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        if text:
            with (self.folder / name).open("ab") as file:
                self._lengths[name] += file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())

    def keep(self, content: Mapping[str, Any]) -> None:
        """Replace the state."""
        kept = {
            "version": VERSION,
            "identity": self._identity,
            "lengths": self._lengths,
            "content": content,
        }
        write_text(self.folder / STATE, json.dumps(kept, ensure_ascii=False))

    def last(self, count: int) -> Sequence[dict[str, Any]]:
        """The last alarms, the newest first."""
        path = self.folder / ALARMS
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in reversed(lines[-count:])]

    def _read(self) -> dict[str, Any] | None:
        path = self.folder / STATE
        remedy = "Name another folder with --output, or remove this one to begin anew."
        try:
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ConfigError(f"{path}: not readable as JSON: {error}. {remedy}") from None
        if kept.get("version") != VERSION:
            raise ConfigError(
                f"{path}: expected version {VERSION}, found {kept.get('version')}. {remedy}"
            )
        other = [name for name, value in self._identity.items() if kept["identity"][name] != value]
        if other:
            raise ConfigError(
                f"{path}: made with another {' and another '.join(other)}: its baselines do not fit"
                f" what comes now. {remedy}"
            )
        return kept


def _cut(path: Path, length: int) -> int:
    """Cut a file to a length, and make it where it is not there."""
    with path.open("ab") as file:
        file.truncate(length)
    return length
