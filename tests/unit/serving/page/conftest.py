"""A browser for the pages, and visits that may have no fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, browser

LOOKS = [
    {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    for width in (390, 1280)
    for scheme in ("light", "dark")
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look['viewport']}{look['color_scheme']}")
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Of narrow and wide windows, by day and by night."""
    return request.param


@pytest.fixture
def visit(chromium: Browser, address: str) -> Iterator[Callable[..., Visit]]:
    """Visits to the server at the address that the tests of a page give; they may have no fault."""
    begun: list[Visit] = []

    def visit(**look: Any) -> Visit:
        begun.append(Visit(chromium, address, **look))
        return begun[-1]

    yield visit
    for one in begun:
        one.close()
        assert one.faults == []
