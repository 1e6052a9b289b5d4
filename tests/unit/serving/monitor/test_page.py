"""The live page loads nothing, runs nothing of a row's, and opens rows on a click."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from fuseline.serving.monitor.events import Event, parse
from fuseline.serving.monitor.page import page, write_page
from fuseline.serving.monitor.watch import Line, Watch
from tests.support.browser import Visit, browser, needs_chromium
from tests.support.monitored import as_lines, settings, stream

EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


@pytest.fixture(scope="module")
def watched() -> tuple[Watch, list[Line]]:
    """A watch of rows whose texts would run, and its alarms, the newest first."""
    own = settings(
        topics={"sales": ["sales"], "people": ["layoff*"], EVIL: ["weather"]}, refresh_seconds=2
    )
    watch = Watch(own)
    rows = [row | {"text": f"{row['text']} {EVIL}"} for row in stream()]
    events = [parse(line, own.fields) for line in as_lines(rows).splitlines()]
    for event in events:
        assert isinstance(event, Event)
        event.strange = event.label == "negative"
    found = list(watch.take([one for one in events if isinstance(one, Event)]))
    watch.refuse("not JSON")
    return watch, [line for line in found if line["event"] in ("alarm", "notice")][::-1]


def test_nothing_of_a_row_is_markup(watched: tuple[Watch, list[Line]]) -> None:
    text = page(*watched)
    assert watched[0].alarms
    assert "<img" not in text
    assert text.count("<script>") == 1
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;" in text
    assert not re.search(r"""(src|href|style)=|url\(|@import|//[a-z]""", _without_rows(text))


def _without_rows(text: str) -> str:
    return re.sub(r"<(li|script|style|h2|summary)\b.*?</\1>", "", text, flags=re.DOTALL)


def test_the_same_state_is_the_same_page(watched: tuple[Watch, list[Line]]) -> None:
    again = Watch(watched[0].settings)
    again.restore(json.loads(json.dumps(watched[0].as_json())))
    assert page(again, watched[1]) == page(*watched)


def test_a_page_of_nothing_says_so() -> None:
    text = page(Watch(settings()), [])
    assert text.count("no window is over yet") == 3
    assert "0 rows, 0 of them too late, no line refused" in text


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(
    chromium: Browser,
    watched: tuple[Watch, list[Line]],
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    write_page(tmp_path / "index.html", *watched)
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    visit = Visit(chromium, (tmp_path / "index.html").as_uri(), **look)
    visit.page.goto(visit.address)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    visit.page.locator("#pause").check()
    first = visit.page.locator("details").first
    assert not first.locator("li").first.is_visible()
    first.locator("summary").click()
    assert EVIL in (first.locator("li").first.text_content() or "")
    assert visit.violations() == []
    visit.page.evaluate("window.here = true")
    visit.page.wait_for_timeout(2300)
    assert visit.page.evaluate("window.here")
    # Unpaused it looks for a newer page, and what was open stays so.
    with visit.page.expect_navigation():
        visit.page.locator("#pause").uncheck()
    visit.page.locator("#pause").check()
    visit.page.wait_for_selector("details[open]")
    visit.close()
    assert visit.faults == []
