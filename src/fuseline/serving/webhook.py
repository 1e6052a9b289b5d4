"""One JSON object to an address, with a time-out and few attempts."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

# Seconds before the second attempt; before each further one twice as many.
FIRST_PAUSE_SECONDS = 0.5


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is sent goes to the address that was named and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Webhook:
    """Sends objects.

    Args:
        url: of HTTP or HTTPS.
        timeout_seconds: until an attempt is given up.
        retries: attempts after the first, where the other side cannot be reached or fails
            (status 429 and 500 or above); it may then get the same object twice.
    """

    def __init__(self, url: str, timeout_seconds: float, retries: int) -> None:
        self.url, self.timeout_seconds, self.retries = url, timeout_seconds, retries
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, content: dict[str, Any]) -> str | None:
        """Send one; why it could not be sent, without what it holds, or None."""
        body = json.dumps(content, ensure_ascii=False).encode()
        problem: str | None = None
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            problem, again = self._attempt(body)
            if not again:
                break
        return problem

    def _attempt(self, body: bytes) -> tuple[str | None, bool]:
        """What went wrong, and whether another attempt may mend it."""
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url, body, headers, method="POST")
        try:
            self._opener.open(request, timeout=self.timeout_seconds).close()
        except urllib.error.HTTPError as error:
            error.close()
            return f"status {error.code}", error.code == 429 or error.code >= 500
        except (OSError, HTTPException) as error:
            return type(getattr(error, "reason", error)).__name__, True
        return None, False
