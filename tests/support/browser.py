"""A real browser on a real server: what a visitor of the page has before them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, sync_playwright

from tests.support.servers import listening
from tests.support.workspace import wait_for

CHROMIUM = shutil.which("chromium")
# Of root, in a container; and nothing that Chromium would ask the network of its own accord.
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
# Chromium says so of every answer that is no 2xx.
STATUS = "Failed to load resource"
WATCH = (
    "window.violations = []; document.addEventListener('securitypolicyviolation', (event) =>"
    " window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));"
)


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield opened
        opened.close()


@contextmanager
def served(export: Path, log: Path, *more: str) -> Iterator[str]:
    """The address of `fuseline serve` with more options, once it answers."""
    serve = (sys.executable, "-m", "fuseline.cli", "serve", "--model", str(export))
    options = ("--decoders", "1", "--reload-seconds", "0", *more)
    with listening(lambda port: [*serve, *options, "--port", str(port)], log) as port:
        address = f"http://127.0.0.1:{port}"
        ready = f"{address}/health/ready"
        assert wait_for(lambda: httpx.get(ready).status_code == 200, 90), log.read_text()
        yield address


class Visit:
    """A page in a context of its own.

    Attributes:
        page: of the browser.
        faults: errors of scripts, of the policy, and requests to others than the server.
        statuses: of answers that were no 2xx.
        sent: bodies that `mock` was asked with.
    """

    def __init__(self, browser: Browser, address: str, **look: Any) -> None:
        self.context = browser.new_context(**{"reduced_motion": "reduce", **look})
        self.page: Page = self.context.new_page()
        self.address, self.faults, self.statuses = address, [], []
        self.sent: list[bytes] = []
        self.page.set_default_timeout(10_000)
        self.page.add_init_script(WATCH)
        self.page.on("console", self._told)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", lambda one: one.ok or self.statuses.append(one.status))

    def open(self) -> Page:
        """The page, once its form is there or it asks for a key."""
        self.page.goto(f"{self.address}/")
        self.page.wait_for_selector("#send >> visible=true")
        return self.page

    def mock(self, path: str, answer: Any, status: int = 200, **headers: str) -> None:
        """Answer a route in the server's place."""

        def fulfil(route: Route) -> None:
            self.sent.append(route.request.post_data_buffer or b"")
            kind = {"content-type": "application/json"}
            route.fulfill(status=status, body=json.dumps(answer), headers=kind | headers)

        self.route(path, fulfil)

    def route(self, path: str, handler: Callable[[Route], object]) -> None:
        self.page.unroute(f"**/{path}")
        self.page.route(f"**/{path}", handler)

    def violations(self) -> list[str]:
        """What axe finds wrong."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {node['target']}: {node['failureSummary']}"
            for one in found
            for node in one["nodes"]
        ]

    def close(self) -> None:
        self.faults += self.page.evaluate("window.violations")
        self.context.close()

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(STATUS):
            self.faults.append(message.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.address, "blob:", "data:")):
            self.faults.append(request.url)
