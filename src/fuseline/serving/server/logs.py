"""Lines of JSON on standard error: what happened to which request, and nothing that was in it."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

_LOGGER = logging.getLogger("fuseline.serve")


class JsonLine(logging.Formatter):
    """A record as one JSON object. Of an error its kind and its place alone: a message may quote
    what somebody sent."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        told = getattr(record, "told", None)
        line |= {"event": "server", "message": record.getMessage()} if told is None else told
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])[-3:]
            line["at"] = [f"{frame.name}:{frame.lineno}" for frame in frames]
            if told is None:
                line["message"] = "an error"
        return json.dumps(line, ensure_ascii=False)


def start_logging() -> None:
    """Send what this process logs to standard error as lines of JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLine())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in (_LOGGER.name, "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO)
    # Whom a connection comes from is nobody's business.
    logging.getLogger("uvicorn.access").disabled = True


def tell(event: str, level: int = logging.INFO, *, trace: bool = False, **facts: Any) -> None:
    """Log an event.

    Args:
        event: its name.
        level: of `logging`.
        trace: tell the kind and the place of the error that is being handled.
        facts: what else there is to say; no contents of requests.
    """
    _LOGGER.log(level, event, extra={"told": {"event": event, **facts}}, exc_info=trace)
