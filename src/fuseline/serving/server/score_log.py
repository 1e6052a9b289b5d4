"""The log of scores of a server."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.serving.scores import Line, as_lines
from fuseline.serving.server.logs import tell


class ScoreLog:
    """Adds lines to a file, which other processes add to as well. It is opened anew each time, so
    that it may be moved away at any.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Make it if it is not there.

        Raises:
            ConfigError: it cannot be written.
        """
        try:
            self._write(b"")
        except OSError as error:
            raise ConfigError(
                f"--score-log {self.path}: cannot be written ({error.strerror}). Name a file in a"
                " folder that is there and that this account may write."
            ) from None

    def add(self, scores: Sequence[Line]) -> None:
        """Add the scores of answers that go out now. What cannot be written is told in the server's
        log, and holds nobody up."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            # One write: lines of several processes do not mix.
            self._write(as_lines([score | {"time": now} for score in scores]).encode())
        except OSError as error:
            tell("score_log_failed", logging.ERROR, reason=str(error.strerror), rows=len(scores))

    def _write(self, content: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(content)
