"""One JSON object to an address, with a time-out and few attempts."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from fuseline.config import Section


def _is_plain(url: str) -> bool:
    """Whether the client can ask an address."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


class WebhookParams(Section):
    """Where objects are sent: the address, seconds until an attempt is given up, and attempts
    after the first."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    timeout_seconds: Annotated[float, Field(gt=0.0, le=60.0)]
    retries: Annotated[int, Field(ge=0, le=10)]

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        if not _is_plain(url):
            raise ValueError(
                "expected an address such as https://desk.example/hook: a host, no user, no blank"
                " and ASCII alone, others as %XX and xn--"
            )
        return url


# Seconds before the second attempt; before each further one twice as many.
FIRST_PAUSE_SECONDS = 0.5


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is sent goes to the address that was named and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Webhook:
    """Sends objects. One is sent again where the other side cannot be reached or fails (status 429
    and 500 or above), which may then get it twice.

    Args:
        params: where to.
    """

    def __init__(self, params: WebhookParams) -> None:
        self.params = params
        self._opener = urllib.request.build_opener(NoRedirect)

    def send(self, content: dict[str, Any]) -> str | None:
        """Send one; why it could not be sent, without what it holds, or None."""
        body = json.dumps(content, ensure_ascii=False).encode()
        problem: str | None = None
        for attempt in range(self.params.retries + 1):
            if attempt:
                time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            problem, again = self._attempt(body)
            if not again:
                break
        return problem

    def _attempt(self, body: bytes) -> tuple[str | None, bool]:
        """What went wrong, and whether another attempt may mend it."""
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.params.url, body, headers, method="POST")
        try:
            self._opener.open(request, timeout=self.params.timeout_seconds).close()
        except urllib.error.HTTPError as error:
            error.close()
            return f"status {error.code}", error.code == 429 or error.code >= 500
        except (OSError, HTTPException) as error:
            return type(getattr(error, "reason", error)).__name__, True
        return None, False
