"""The page of `fuseline serve` in a browser: how soon it can be used, how soon it answers.

In a repository whose pipeline has run, with Chromium. Every round is a browser's first visit: the
page is opened until its form is there, then the first example is clicked until its answer stands.
"""

from __future__ import annotations

import statistics
import tempfile
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Browser

from fuseline.serving.server.page import ASSETS
from tests.support.browser import Visit, browser, served


def main(root: Path = Path(), num_rounds: int = 10) -> None:
    """Print the files' sizes, and milliseconds to the form and from a click to the answer.

    Args:
        root: of a repository with `models/export`.
        num_rounds: visits.
    """
    sizes = {name: (files("fuseline.serving.page") / name).read_bytes() for name in ASSETS}
    print(f"files: {len(sizes)}, {sum(map(len, sizes.values())) / 1000:.1f} kB")
    with (
        tempfile.TemporaryDirectory() as folder,
        served((root / "models/export").resolve(), Path(folder) / "log") as address,
        browser() as opened,
    ):
        rounds = [_visit(opened, address) for _ in range(num_rounds)]
    # The model is asked for the first time by the first.
    print(f"first visit: form {rounds[0][0]:.0f} ms, answer {rounds[0][1]:.0f} ms")
    form, answer = (statistics.median(times) for times in zip(*rounds, strict=True))
    slowest = max(answer for _, answer in rounds)
    print(f"{num_rounds} visits: form {form:.0f} ms, answer {answer:.0f} ms, at most {slowest:.0f}")


def _visit(browser: Browser, address: str) -> tuple[float, float]:
    """Milliseconds to the form, and to the answer."""
    visit = Visit(browser, address)
    page = visit.open()
    form = page.evaluate("performance.now()")
    page.wait_for_selector("#samples button")
    answer = page.evaluate(
        """() => new Promise((done) => {
          const start = performance.now();
          const shown = document.getElementById("shown");
          new MutationObserver(() => done(performance.now() - start)).observe(shown, {
            childList: true,
          });
          document.querySelector("#samples button").click();
        })"""
    )
    visit.close()
    assert visit.faults == []
    return form, answer
