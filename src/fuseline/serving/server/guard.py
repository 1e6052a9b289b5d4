"""What every request passes: the gate, the key, the log, the counts, the headers of safety."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import time
import uuid
from dataclasses import dataclass
from hashlib import sha256

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fuseline.serving.server.draining import Gate
from fuseline.serving.server.logs import tell
from fuseline.serving.server.metrics import Metrics
from fuseline.serving.server.rejected import Rejected

# Never behind the key, nor shut while the server drains.
HEALTH = ("/health/", "/v2/health/")
# Without a key too: they say nothing of the model.
OPEN = ("/docs", "/openapi.json", "/page/")
PAGES = ("/", "/chat", "/recommend")
SEND_SECONDS = 30.0
# Nobody was there to read the answer.
GONE = 499
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
_HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@dataclass
class _Visit:
    """One request: its name, and what became known of its answer."""

    id: str
    start: float
    status: int = 0
    sent_bytes: int = 0


class Guard:
    """Stands before an application.

    Args:
        app: the application.
        gate: of the server.
        keys: SHA-256 of the keys that open it; none where it is open to all.
        metrics: of the server.
    """

    def __init__(self, app: ASGIApp, gate: Gate, keys: frozenset[bytes], metrics: Metrics) -> None:
        self.app, self._gate, self._keys, self._metrics = app, gate, keys, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or send it away."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        visit = _Visit(given if _NAME.fullmatch(given) else uuid.uuid4().hex, time.perf_counter())
        scope.setdefault("state", {})["id"] = visit.id
        sending = self._sending(send, visit)
        healthy = scope["path"].startswith(HEALTH)
        try:
            if not healthy:
                self._gate.in_flight += 1
                self._metrics.in_flight.inc()
                self._check(scope["path"], headers)
            await self.app(scope, receive, sending)
        except Rejected as rejected:
            await _answer(sending, rejected)
        except TimeoutError:  # its client does not read
            visit.status = visit.status or GONE
        except Exception:  # noqa: BLE001 - one request's error is no other's
            tell("request_failed", logging.ERROR, trace=True, request=visit.id)
            if not visit.status:
                await _answer(sending, Rejected(500, "The server could not answer."))
        finally:
            if not healthy:
                self._gate.in_flight -= 1
                self._metrics.in_flight.dec()
                self._record(scope, visit)

    def _check(self, path: str, headers: dict[bytes, bytes]) -> None:
        if self._gate.closing:
            raise Rejected(503, "The server is ending. Ask another, or again in a while.", 5)
        if self._keys and path not in PAGES and not path.startswith(OPEN):
            given = headers.get(b"authorization", b"")
            key = given[7:] if given[:7].lower() == b"bearer " else b""
            found = sha256(key.strip()).digest()
            # All of them, whichever it is: the time tells nothing.
            if not sum(hmac.compare_digest(found, known) for known in self._keys):
                raise Rejected(401, "Send a valid key as `Authorization: Bearer KEY`.")

    def _sending(self, send: Send, visit: _Visit) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                own = {name.lower() for name, _ in message["headers"]}
                extra = {**_HEADERS, "x-request-id": visit.id}
                if visit.status in (408, 413, 429, 503):
                    # What is left of a body that nobody reads would be taken for a request.
                    extra["connection"] = "close"
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in extra.items()
                        if name.encode() not in own
                    ),
                ]
            visit.sent_bytes += len(message.get("body", b""))
            # A client that does not read is dropped.
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        return sending

    def _record(self, scope: Scope, visit: _Visit) -> None:
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.perf_counter() - visit.start
        self._metrics.requests.labels(route, visit.status).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        tell(
            "request",
            request=visit.id,
            method=scope["method"],
            route=route,
            status=visit.status,
            seconds=round(seconds, 6),
            sent_bytes=visit.sent_bytes,
        )


def failure_headers(rejected: Rejected) -> dict[str, str]:
    """Headers of the answer to a request that is sent away."""
    headers = {}
    if rejected.retry_seconds is not None:
        headers["retry-after"] = str(rejected.retry_seconds)
    if rejected.status == 401:
        headers["www-authenticate"] = "Bearer"
    return headers


async def _answer(send: Send, rejected: Rejected) -> None:
    body = json.dumps({"error": rejected.message}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers |= failure_headers(rejected)
    await send(
        {
            "type": "http.response.start",
            "status": rejected.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
