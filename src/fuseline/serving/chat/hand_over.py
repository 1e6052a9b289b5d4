"""Where hand-overs go: a file of JSON lines, and a webhook."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError
from fuseline.serving.chat.config import Service
from fuseline.serving.chat.reply import HandOver
from fuseline.serving.webhook import Webhook

# Told of each attempt to deliver: what became of it, without contents.
Tell = Callable[[str], None]
# Records that wait to be sent; while there are so many, further ones are kept and not sent.
MOST_WAITING = 1000
# Seconds after its end is called for, in which a desk still begins to send what waits.
CLOSE_SECONDS = 30.0


class Desk:
    """Takes records, keeps them, and sends them on. A record that cannot be sent is kept.

    Args:
        service: which says where they go.
        tell: of what happens to them.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, service: Service, tell: Tell) -> None:
        params = service.params.hand_over
        self._file = service.file(params.file) if params.file else None
        self._webhook = Webhook(params.webhook) if params.webhook else None
        self._tell, self._lock = tell, threading.Lock()
        # One after the other: a desk that is slow is not asked more at a time.
        self._sender = ThreadPoolExecutor(1, "hand-over")
        self._ends = math.inf
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        if self._file:
            _writable(self._file)

    def take(self, name: str, record: HandOver) -> Future[None] | None:
        """Keep a record, and send it in the background.

        Args:
            name: of the conversation, by which a person refers to it; no key to it.
            record: what is handed over.

        Returns:
            What is done once it was sent or given up; None where it is not to be sent.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        content = {"conversation": name, "time": now, **record.as_object()}
        if self._file:
            self._keep(self._file, content)
        if self._webhook is None:
            return None
        if not self._room.acquire(blocking=False):
            self._tell(f"not sent: {MOST_WAITING} wait before it")
            return None
        return self._sender.submit(self._send, content)

    def close(self) -> None:
        """Wait until all are sent or given up; what nobody came to send is told of."""
        self._ends = time.monotonic() + CLOSE_SECONDS
        self._sender.shutdown()

    def _keep(self, file: Path, content: dict[str, Any]) -> None:
        line = json.dumps(content, ensure_ascii=False) + "\n"
        with self._lock, file.open("a", encoding="utf-8") as opened:
            opened.write(line)

    def _send(self, content: dict[str, Any]) -> None:
        assert self._webhook is not None
        self._room.release()
        if time.monotonic() > self._ends:
            self._tell("not sent: the end came before it")
            return
        problem = self._webhook.send(content)
        self._tell(f"not sent: {problem}" if problem else "sent")


def _writable(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.open("a").close()
    except OSError as error:
        raise ConfigError(
            f"service.hand_over.file: {file}: cannot be written ({error.strerror}). Name another,"
            " or null for none."
        ) from None
