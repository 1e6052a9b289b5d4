"""A server of a small export within the process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from fuseline.serving.server.app import create_app
from fuseline.serving.server.guard import Guard
from fuseline.serving.server.settings import Settings


class Running:
    """An application on a loop of its own, in a thread.

    Attributes:
        guard: the application.
        state: of it.
        failures: how often it gave up.
    """

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        self.failures = 0
        self.guard: Guard = create_app(settings, self._give_up)
        self.state = self.guard.app.state
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._lifespan = self.guard.app.router.lifespan_context(self.guard.app)
        self.within(self._lifespan.__aenter__())
        transport = httpx.ASGITransport(self.guard)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60)

    def within(self, awaited: Awaitable[Any]) -> Any:
        """What something comes to on the loop."""
        return asyncio.run_coroutine_threadsafe(awaited, self._loop).result(90)

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        return self.within(self._client.request(method, path, **how))

    def start(self, *rows: dict[str, Any]) -> Future[httpx.Response]:
        """Send rows; their answer comes later."""
        sent = self._client.post("/v1/predict", json={"rows": list(rows)})
        return asyncio.run_coroutine_threadsafe(sent, self._loop)

    def together(self, requests: list[dict[str, Any]]) -> list[httpx.Response]:
        async def all_of_them() -> list[httpx.Response]:
            return await asyncio.gather(*(self._client.request(**one) for one in requests))

        return self.within(all_of_them())

    def predict(self, *rows: dict[str, Any], **options: Any) -> httpx.Response:
        return self.ask("POST", "/v1/predict", json={"rows": list(rows), **options})

    def wait(self, condition: Callable[[], object], seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.02)

    def close(self) -> None:
        self.within(self._client.aclose())
        self.within(self._lifespan.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _give_up(self) -> None:
        self.failures += 1


@pytest.fixture(scope="session")
def settings(export: Path) -> Settings:
    return Settings(
        model=export,
        int8=False,
        threads=1,
        max_batch_rows=32,
        max_wait_ms=5.0,
        max_concurrent_requests=512,
        max_rows=256,
        decoders=1,
        request_seconds=60.0,
        reload_seconds=0,
        shadow=None,
        workers=1,
        keys=frozenset(),
    )


@pytest.fixture(scope="session")
def run(settings: Settings) -> Callable[..., Any]:
    """Run a server with other settings."""

    @contextmanager
    def run(**changes: Any) -> Iterator[Running]:
        running = Running(replace(settings, **changes))
        try:
            running.wait(lambda: running.state.served.is_ready or running.failures)
            yield running
        finally:
            running.close()

    return run


@pytest.fixture(scope="session")
def server(run: Callable[..., Any]) -> Iterator[Running]:
    """One that tests share, and leave as it is."""
    with run() as running:
        yield running
