"""The page of conversations in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Visit, needs_chromium, served
from tests.support.services import write_service

pytestmark = needs_chromium
REPLY: dict[str, Any] = {
    "session": "abc",
    "kind": "answer",
    "text": "Said.",
    "by": None,
    "intent": None,
    "confidence": None,
    "in_scope": None,
    "sources": [],
    "choices": [],
    "reason": None,
}


@pytest.fixture(scope="module")
def address(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("chat")
    service = write_service(folder, limits__sessions=1)
    with served(export, folder / "log", "--service", str(service)) as address:
        yield address


def opened(one: Visit) -> Page:
    one.page.goto(f"{one.address}/chat")
    one.page.wait_for_selector("#send >> visible=true")
    return one.page


def send(page: Page, message: str) -> None:
    before = page.locator(".turn.service").count()
    page.fill("#message", message)
    page.press("#message", "Enter")
    expect(page.locator(".turn.service")).to_have_count(before + 1)


def test_a_conversation_is_held_without_a_fault_of_access(visit, look):
    one = visit(**look)
    page = opened(one)
    assert one.violations() == []
    send(page, "hello")
    send(page, "How do I reset my password?")
    expect(page.locator(".sources").last).to_contain_text("knowledge.csv, row 1")
    send(page, "talk to a human")
    expect(page.locator(".notice").last).to_have_text("A person takes over, as you asked.")
    assert one.violations() == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= look["viewport"]["width"]


def test_all_of_it_is_done_by_keys(visit):
    page = opened(visit())
    expect(page.locator("#message")).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Shift+Enter")
    assert page.input_value("#message") == "hello\n"
    page.keyboard.press("Enter")
    expect(page.locator(".turn.service .said")).to_have_text("Good day.")
    expect(page.locator("#message")).to_be_focused()
    expect(page.locator("#message")).to_have_value("")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#anew")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".turn")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator("#message-error")).to_have_text("Write something first.")


def test_a_question_back_is_answered_by_a_button(visit):
    one = visit()
    page = opened(one)
    choices = [{"intent": "lost_card", "name": "a lost card"}, {"intent": "pin", "name": "a PIN"}]
    one.mock("v1/chat", REPLY | {"kind": "ask", "text": "Which?", "choices": choices})
    send(page, "my card")
    assert one.violations() == []
    found = {"intent": "lost_card", "confidence": 0.934, "by": "template"}
    one.mock("v1/chat", REPLY | found)
    page.click("text=a lost card")
    expect(page.locator(".turn.user .said").last).to_have_text("a lost card")
    expect(page.locator(".facts")).to_have_text("Understood: lost card93.4 % sure")
    expect(page.locator(".choices")).to_have_count(0)
    assert one.sent[-1] == b'{"message":"a lost card","session":"abc"}'


def test_a_forgotten_conversation_begins_anew(visit):
    """The service keeps one at a time, and another visitor begins one."""
    first, second = visit(), visit()
    page = opened(first)
    send(page, "hello")
    send(opened(second), "hello")
    send(page, "hello")
    expect(page.locator("text=a new one begins here")).to_have_count(1)
    assert first.statuses == [404]


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "'\"</p><script>1</script>", "\u202ex"]
)
def test_hostile_strings_stay_text(visit, text):
    one = visit()
    page = opened(one)
    source = {"source": text, "question": text, "row": 1, "evidence": 2.0}
    choice = {"intent": text, "name": text}
    one.mock(
        "v1/chat",
        REPLY | {"text": text, "intent": text, "sources": [source], "choices": [choice]},
    )
    send(page, text)
    assert page.locator(".said").all_inner_texts() == [text, text]
    assert page.locator("#turns img, #turns script").count() == 0


def test_what_the_server_says_is_shown(visit):
    one = visit()
    page = opened(one)
    one.mock("v1/chat", {"error": "Busy."}, 429, **{"retry-after": "3"})
    page.fill("#message", "hello")
    page.press("#message", "Enter")
    expect(page.locator("#message-error")).to_have_text("Busy. Here: 3 s.")
    expect(page.locator("#message")).to_have_value("hello")
    assert one.violations() == []


def test_the_first_page_leads_here_and_back(visit):
    page = visit().open()
    page.click("text=Talk to the service")
    page.wait_for_selector("#send >> visible=true")
    page.click("text=Ask the model")
    page.wait_for_selector("#fields >> visible=true")
