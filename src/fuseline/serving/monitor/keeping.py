"""What the monitor leaves on the disk, and how it goes on after a kill.

`state.json` is replaced whole. `alarms.jsonl` and `audit.jsonl` only grow, and the state says how
long they were when it was written: what a killed process wrote beyond is cut off, and written again
by the rows that are read again. Logs without a state are somebody's, or of a state that was
removed: they are left alone.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fuseline.contracts.durable import write_text
from fuseline.errors import ConfigError

STATE, ALARMS, AUDIT, PAGE = "state.json", "alarms.jsonl", "audit.jsonl", "index.html"
VERSION = 2


class Kept:
    """A folder of it.

    Args:
        folder: made if it is not there.
        identity: what alarms hang on besides the rows; a state of another is refused.

    Attributes:
        content: of the state, as it was given to `keep`; None where there is none.

    Raises:
        ConfigError: the state is of another identity, or cannot be read; or there is none, and yet
            files that a monitor would write over.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder, self._identity = folder, json.loads(json.dumps(identity))
        folder.mkdir(parents=True, exist_ok=True)
        kept = self._read()
        self.content: dict[str, Any] | None = kept and kept["content"]
        self._lengths: dict[str, int] = kept["lengths"] if kept else {ALARMS: 0, AUDIT: 0}
        if kept is None:
            # From now on the folder is a monitor's.
            self.keep(None)
        for name, length in self._lengths.items():
            self._lengths[name] = _cut(folder / name, length)

    def add(self, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
        """Add lines of JSON to one of the logs, on the disk once this returns."""
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        if text:
            with (self.folder / name).open("ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
                # Somebody may have moved the log away.
                self._lengths[name] = file.tell()

    def keep(self, content: Mapping[str, Any] | None) -> None:
        """Replace the state."""
        kept = {
            "version": VERSION,
            "identity": self._identity,
            "lengths": self._lengths,
            "content": content,
        }
        # Escaped: names of files may hold what is no text.
        write_text(self.folder / STATE, json.dumps(kept))

    def last(self, count: int) -> Sequence[dict[str, Any]]:
        """The last alarms, the newest first."""
        path = self.folder / ALARMS
        if not path.exists():
            return []
        with path.open("rb") as file:
            return [json.loads(line) for line in reversed(deque(file, count))]

    def _read(self) -> dict[str, Any] | None:
        path = self.folder / STATE
        remedy = "Name another folder with --output, or move this folder away to begin anew."
        try:
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._refuse_others(remedy)
            return None
        except ValueError as error:
            raise ConfigError(f"{path}: not readable as JSON: {error}. {remedy}") from None
        version = kept.get("version") if isinstance(kept, dict) else None
        if version != VERSION:
            raise ConfigError(f"{path}: expected version {VERSION}, found {version}. {remedy}")
        other = [
            name
            for name, value in self._identity.items()
            # As text: the order of topics decides, too.
            if json.dumps(kept["identity"][name]) != json.dumps(value)
        ]
        if other:
            raise ConfigError(
                f"{path}: made with another {' and another '.join(other)}: its baselines do not fit"
                f" what comes now. {remedy}"
            )
        return kept

    def _refuse_others(self, remedy: str) -> None:
        if there := [name for name in (ALARMS, AUDIT, PAGE) if (self.folder / name).exists()]:
            raise ConfigError(
                f"{self.folder}: expected {STATE} beside {', '.join(there)}, found none, so these"
                f" are not a monitor's, or would be begun anew. {remedy}"
            )


def _cut(path: Path, length: int) -> int:
    """Cut a file that is longer to a length, and make it where it is not there; its length."""
    with path.open("ab") as file:
        length = min(length, file.tell())
        file.truncate(length)
    return length
