"""The page of lists for people in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Visit, needs_chromium, served
from tests.support.recommenders import write_recommender

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("recommend")
    shutil.copytree(export, folder / "export")
    with served(write_recommender(folder / "export"), folder / "log") as address:
        yield address


def opened(one: Visit) -> Page:
    one.page.goto(f"{one.address}/recommend")
    one.page.wait_for_selector("#send >> visible=true")
    return one.page


def test_a_list_for_a_history_without_a_fault_of_access(visit, look):
    one = visit(**look)
    page = opened(one)
    assert one.violations() == []
    page.fill("#query", "film 3")
    page.click("#found button >> nth=0")
    expect(page.locator("#chosen li")).to_have_count(1)
    page.click("#send")
    expect(page.locator(".listed > li")).to_have_count(10)
    expect(page.locator(".listed > li").first).to_contain_text("What spoke for it")
    expect(page.locator(".listed .thumb img").first).to_be_visible()
    page.click("#shown summary")
    assert one.violations() == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_known_user_by_the_keyboard_alone(visit):
    page = opened(visit())
    page.focus("[name=who][value=history]")
    page.keyboard.press("ArrowRight")
    page.focus("#user")
    page.keyboard.type("ann")
    page.keyboard.press("Enter")
    expect(page.locator(".listed > li")).to_have_count(10)
    expect(page.locator("#answer-heading")).to_be_focused()
    expect(page.locator("#status")).to_have_text("10 items listed.")
    page.click("#shown summary")
    expect(page.locator(".past li")).to_have_count(6)


def test_nothing_used_is_said(visit):
    page = opened(visit())
    page.click("#send")
    expect(page.locator("#shown .notice")).to_contain_text("No history: ranked by what is popular")


def test_what_is_wrong_is_said(visit):
    one = visit()
    page = opened(one)
    page.check("[name=who][value=user]")
    page.click("#send")
    expect(page.locator("#ask-error")).to_have_text("Write the id of a user.")
    expect(page.locator("#user")).to_be_focused()
    page.fill("#user", "someone")
    page.click("#send")
    expect(page.locator("#ask-error")).to_contain_text("nothing is known of this one")
    page.click("summary")
    page.fill("#where", "genr=Drama")
    page.fill("#user", "ann")
    page.click("#send")
    expect(page.locator("#ask-error")).to_contain_text("Did you mean 'genre'?")
    page.fill("#where", "genre=Horror; year>=2010")
    page.click("#send")
    expect(page.locator(".listed > li").first).to_be_visible()
    assert one.statuses == [404, 422]
    assert one.violations() == []


def test_what_was_added_is_removed_and_the_focus_stays(visit):
    page = opened(visit())
    page.fill("#query", "film")
    expect(page.locator("#found li")).to_have_count(20)
    for _ in range(2):
        page.click("#found button >> nth=0")
    page.click("#chosen button >> nth=1")
    expect(page.locator("#chosen button")).to_be_focused()
    page.click("#chosen button")
    expect(page.locator("#query")).to_be_focused()
    expect(page.locator("#chosen-none")).to_be_visible()


def test_an_export_without_a_recommender_says_so(visit):
    one = visit()
    facts = one.page.request.get(f"{one.address}/v1/model").json()
    one.mock("v1/model", facts | {"recommends": False})
    one.page.goto(f"{one.address}/recommend")
    expect(one.page.locator("#lead")).to_contain_text("This server recommends nothing")
    expect(one.page.locator("#desk")).to_be_hidden()
