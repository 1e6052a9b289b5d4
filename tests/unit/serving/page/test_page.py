"""The page in a real browser: what a visitor sees, hears, types, and is told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Visit, needs_chromium, served
from tests.support.untrained_export import LABELS, picture

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(export, tmp_path_factory.mktemp("page") / "log") as address:
        yield address


@pytest.fixture(scope="module")
def facts(address: str) -> dict[str, Any]:
    return httpx.get(f"{address}/v1/model").json()


def answered(page: Page) -> str:
    """What is said of an answer to those who do not see it."""
    expect(page.locator("#status")).to_contain_text("Answer.")
    return page.locator("#status").inner_text()


# The page with the model behind it.


def test_an_example_is_answered_without_a_fault_of_access(visit, look):
    one = visit(**look)
    page = one.open()
    lead = "It reads a text and a picture, and says which of 3 labels fits."
    expect(page.locator("#lead")).to_contain_text(lead)
    expect(page.locator("#shown")).to_contain_text("Labels: ant, bee, cat.")
    assert one.violations() == []
    page.locator("#samples button").first.click()
    said = answered(page)
    label = page.locator("#shown .big").inner_text()
    assert label in LABELS
    assert f" {label}, " in said
    shares = page.locator("#shown .bars .number").all_inner_texts()
    assert len(shares) == len(LABELS)
    assert sum(float(share.strip("<> %")) for share in shares) == pytest.approx(100, abs=0.5)
    assert "In the data its label is bee" in page.locator("#shown").inner_text()
    expect(page.locator("table caption")).to_have_text("What each part says alone")
    assert page.locator("table th").all_inner_texts() == ["Text", "Picture"]
    assert 1 <= page.locator(".near li").count() <= 2
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    assert one.violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= look["viewport"]["width"]
    assert one.statuses == []


def test_small_pictures_of_training_rows_are_seen(visit):
    one = visit()
    page = one.open()
    page.locator("textarea").fill("ant")
    page.locator("#send").click()
    answered(page)
    ids = [text.split(" · ")[0] for text in page.locator(".near .hint").all_inner_texts()]
    pictures = len([name for name in ids if name != "row5"])
    expect(page.locator(".near img")).to_have_count(pictures)
    widths = page.locator(".near img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert widths == [8] * pictures


def test_the_answer_is_the_servers(visit, address):
    page = visit().open()
    page.locator("textarea").fill("ant bee\ncat")
    page.locator("#send").click()
    answered(page)
    rows = [{"text": "ant bee\r\ncat"}]
    asked = {"rows": rows, "probabilities": True}
    (wanted,) = httpx.post(f"{address}/v1/predict", json=asked).json()["answers"]
    assert page.locator("#shown .big").inner_text() == wanted["label"]
    share = f"{100 * wanted['probability']:.1f} %"
    assert page.locator("#shown .share").inner_text() == share
    assert page.locator(".pill").inner_text() == ("Sure" if wanted["sure"] else "Not sure")


def test_all_of_it_is_reached_by_keys(visit):
    page = visit().open()
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        where = page.evaluate("document.activeElement.id || document.activeElement.textContent")
        reached.append(where.strip())
        if where == "field-0":
            page.keyboard.type("ant")
        if where == "send":
            page.keyboard.press("Enter")
            answered(page)
            # Whoever asked may ask again.
            assert page.evaluate("document.activeElement.id") == "send"
        if where.startswith("The routes"):
            break
    assert reached[0] == "To the form"
    wanted = ["ant bee", "field-0", "field-1", "send", "Clear", "The same from a terminal"]
    places = [reached.index(name) for name in wanted]
    assert places == sorted(places)
    assert page.locator("#shown .big").inner_text() in LABELS
    page.locator(".curl summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#curl")).to_be_visible()
    page.get_by_role("button", name="Clear").press("Enter")
    assert page.locator("textarea").input_value() == ""
    expect(page.locator("#shown .big")).to_have_count(0)


def test_a_picture_is_chosen_seen_and_removed(visit, tmp_path):
    file = tmp_path / "my picture.png"
    file.write_bytes(picture(24))
    page = visit().open()
    page.get_by_label("Picture").set_input_files(file)
    preview = page.get_by_alt_text("Preview of the picture")
    expect(preview).to_be_visible()
    assert preview.evaluate("one => one.decode().then(() => one.naturalWidth)") == 24
    page.locator("#send").click()
    answered(page)
    page.get_by_role("button", name="Remove the picture").click()
    expect(preview).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "field-1"


DROP = """(target, [name, type, content]) => {
  const held = new DataTransfer();
  held.items.add(new File([Uint8Array.from(content)], name, { type }));
  const event = { dataTransfer: held, bubbles: true, cancelable: true };
  for (const kind of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(kind, event));
  }
}"""


@pytest.mark.parametrize("where", [".drop", "body"])
def test_a_picture_is_dropped_on_its_field_or_anywhere(visit, where):
    page = visit().open()
    page.locator(where).evaluate(DROP, ["a.png", "image/png", [*picture()]])
    expect(page.get_by_alt_text("Preview of the picture")).to_be_visible()
    page.locator(where).evaluate(DROP, ["b.zip", "application/zip", [1, 2]])
    if where == "body":
        expect(page.locator("#status")).to_contain_text("takes no files such as b.zip")
    else:
        expect(page.locator(".preview")).to_have_text("This browser has no preview of it.")


def test_the_command_gets_the_answer_of_the_page(visit, tmp_path):
    name = 'it\'s "my", picture;.png'
    (tmp_path / name).write_bytes(picture())
    page = visit().open()
    page.locator("textarea").fill("it's an ant; @bee <cat> $HOME\n`ls` 🐝")
    page.get_by_label("Picture").set_input_files(tmp_path / name)
    page.locator("#send").click()
    answered(page)
    command = page.locator("#curl").text_content()
    done = subprocess.run(
        ["bash", "-c", f"{command} --silent"], cwd=tmp_path, capture_output=True, check=True
    )
    (found,) = json.loads(done.stdout)["answers"]
    assert page.locator("#shown .big").inner_text() == found["label"]
    assert page.locator("#shown .share").inner_text() == f"{100 * found['probability']:.1f} %"
    assert "image:extension" not in found["sanitised"]


def test_the_command_is_copied(visit):
    one = visit()
    one.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = one.open()
    page.locator(".curl summary").click()
    page.locator("#copy").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#curl").text_content()


@pytest.mark.parametrize(
    ("text", "file", "field", "said"),
    [
        ("  ", None, "field-0", "no visible text"),
        ("ant", b"no picture", "field-1", "no image of a known format"),
        ("ant", b"", "field-1", "zero bytes"),
    ],
)
def test_a_refused_row_is_told_at_its_field(visit, text, file, field, said):
    one = visit()
    page = one.open()
    page.locator("textarea").fill(text)
    if file is not None:
        content = {"name": "a.png", "mimeType": "image/png", "buffer": file}
        page.get_by_label("Picture").set_input_files(content)
    page.locator("#send").click()
    error = page.locator(f"#{field}-error")
    expect(error).to_be_visible()
    assert said in error.inner_text().lower()
    assert page.evaluate("document.activeElement.id") == field
    assert page.locator(f"#{field}").get_attribute("aria-invalid") == "true"
    assert field in page.locator(f"#{field}").get_attribute("aria-describedby")
    assert page.locator("#status").inner_text() == error.inner_text()
    expect(page.locator("#shown")).to_contain_text("It appears here")
    assert one.violations() == []
    assert one.statuses == [422]
    page.locator("#samples button").first.click()
    answered(page)
    expect(error).to_be_hidden()
    assert page.locator(f"#{field}").get_attribute("aria-invalid") is None


def test_an_empty_form_is_told_before_it_is_sent(visit):
    one = visit()
    page = one.open()
    page.locator("#send").click()
    expect(page.locator("#form-error")).to_have_text("Fill in something first.")
    assert page.evaluate("document.activeElement.id") == "form-error"
    assert one.statuses == []


def test_texts_are_no_html_even_where_a_script_asks_for_it(visit):
    one = visit()
    page = one.open()
    caught = "try { document.body.innerHTML = '<b>x</b>'; '' } catch (error) { error.name }"
    assert page.evaluate(caught) == "TypeError"
    page.evaluate("document.head.append(document.createElement('style'))")
    page.evaluate("document.head.lastChild.textContent = 'body { display: none }'")
    expect(page.locator("#send")).to_be_visible()
    broken = page.evaluate("window.violations")
    assert {one.split()[0] for one in broken} == {"require-trusted-types-for", "style-src-elem"}
    # They were meant.
    page.evaluate("window.violations = []")
    one.faults.clear()


# The page with facts and answers of other models in the server's place.


HOSTILE = '<img src="//evil.example/x" onerror="window.hacked = 1"></p><script>hacked = 1</script>'
NEIGHBOUR = {"example_id": HOSTILE, "label": HOSTILE, "text": HOSTILE, "distance": 0.1}
CELLS = [
    {"kind": "cell", "name": "length", "values": "number", "range": [1.5, 40.0]},
    {"kind": "cell", "name": "day", "values": "date"},
    {"kind": "cell", "name": "hour", "values": "time"},
    {"kind": "cell", "name": "material", "values": "category", "choices": ["glass", "metal"]},
]


def another(visit, facts, answer=None, **changes) -> Visit:
    """A visit to another model."""
    one = visit()
    one.mock("v1/model", facts | changes)
    one.mock("v1/samples", [])
    one.route("v1/thumbnail*", lambda route: route.fulfill(status=204))
    if answer is not None:
        one.mock("v1/predict", {"answers": [answer], "origin": facts["origin"]})
    return one


def task(kind, labels=(), name="it"):
    return {"name": name, "kind": kind, "labels": [*labels]}


def ask(one: Visit, text="a text") -> Page:
    page = one.open()
    page.locator("textarea").fill(text)
    page.locator("#send").click()
    answered(page)
    return page


def test_hostile_strings_stay_text(visit, facts):
    answer = {
        "label": HOSTILE,
        "probability": 0.5,
        "sure": False,
        "set": [HOSTILE, "b"],
        "text_label": HOSTILE,
        "text_probability": 0.5,
        "probabilities": {HOSTILE: 0.5, "b": 0.5},
        "sanitised": [HOSTILE],
        "in_scope": False,
        "out_of_scope": 0.99,
        "neighbours": [NEIGHBOUR],
    }
    cell = {"kind": "cell", "name": HOSTILE, "values": "category", "choices": [HOSTILE]}
    changes = {"fields": [*facts["fields"], cell], "card": HOSTILE}
    changes["tasks"] = [task("classification", [HOSTILE, "b"], HOSTILE)]
    one = another(visit, facts, answer, **changes)
    row = {"text": HOSTILE, "cells": {HOSTILE: HOSTILE}}
    one.mock("v1/samples", [{"label": HOSTILE, "row": row}])
    page = one.open()
    page.locator("#samples button").click()
    answered(page)
    assert page.locator("#shown").inner_text().count(HOSTILE) >= 7
    assert page.locator("#card").text_content() == HOSTILE
    assert page.locator("select").input_value() == HOSTILE
    assert page.evaluate("window.hacked") is None
    assert page.locator("#room img, script:not([src])").count() == 0
    assert one.violations() == []


SURE = {"probabilities": {"ant": 0.9, "bee": 0.1}, "label": "ant", "probability": 0.9}
KINDS = {
    "classification": (["ant", "bee"], SURE | {"sure": True, "set": ["ant"]}, "ant 90.0 % Sure"),
    "multilabel": (
        ["red", "big", "old"],
        {
            "labels": ["red", "big"],
            "label_probabilities": [0.8, 0.6],
            "probabilities": {"red": 0.8, "big": 0.6, "old": 0.2},
        },
        "red big",
    ),
    "regression": ([], {"value": 1234.56789}, "1,234.6 it, in the unit of the data"),
    "ranking": ([], {"score": 0.25}, "0.250"),
    "token_classification": (
        [],
        {"entities": [{"type": "PLACE", "start": 6, "end": 10, "text": "Graz"}]},
        "🐝 in\nGraz PLACE!",
    ),
    "generation": (
        [],
        {"text": "no, I will not", "refused": True, "refusal": "polite"},
        "no, I will not Refuses: polite",
    ),
    "retrieval": (
        [],
        {"text_vector": [1.0, 0.0], "image_vector": [0.6, 0.8]},
        "A vector of 2 numbers each: text and picture.",
    ),
    "recommendation": (
        [],
        {"content_vector": [0.6, 0.8]},
        "A vector of 2 numbers: what the content of this item says. Lists for people",
    ),
}


def test_every_kind_of_task_has_a_view():
    from fuseline.serving.answers import ANSWERS

    assert set(KINDS) == set(ANSWERS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_task_is_shown(visit, facts, kind):
    labels, answer, shown = KINDS[kind]
    certainty = facts["certainty"] if kind == "classification" else None
    one = another(visit, facts, answer, tasks=[task(kind, labels)], certainty=certainty)
    page = ask(one, "🐝 in\nGraz!")
    seen = " ".join(page.locator("#shown").inner_text().split())
    assert " ".join(shown.split()) in seen


def test_several_tasks_stand_under_their_names(visit, facts):
    tasks = [task(kind, labels, f"the {kind}") for kind, (labels, _, _) in KINDS.items()]
    answer = {
        f"the {kind}.{name}" if place else name: value
        for place, (kind, (_, found, _)) in enumerate(KINDS.items())
        for name, value in found.items()
    }
    one = another(visit, facts, answer, tasks=tasks)
    page = ask(one, "🐝 in\nGraz!")
    assert page.locator("#shown h3").all_inner_texts() == [one["name"] for one in tasks]
    expect(page.get_by_role("region", name="the regression")).to_contain_text("1,234.6")
    assert answered(page).startswith("Answer. the classification: ant, 90.0 %, sure. the multilab")
    assert one.violations() == []


def test_entities_of_another_text_than_was_sent_are_listed(visit, facts):
    found = [{"type": "PLACE", "start": 0, "end": 4, "text": "Graz"}]
    one = another(visit, facts, {"entities": found}, tasks=[task("token_classification")])
    assert ask(one, "in Graz").locator("#shown li").all_inner_texts() == ["Graz PLACE"]


def test_doubts_are_said(visit, facts):
    answer = SURE | {"sure": False, "set": ["ant", "bee"], "in_scope": False, "out_of_scope": 0.98}
    one = another(visit, facts, answer)
    page = ask(one)
    said = page.locator("#shown").inner_text()
    assert "Unlike anything it was trained on." in said
    assert "than 98 % of the development rows" in said
    assert "Not sure" in said
    assert "counts as sure from 50 % on" in said
    assert "One of ant or bee is right for 90 % of rows." in said
    assert answered(page).startswith("Answer. Unlike anything it was trained on. ant, 90.0 %, not")
    assert one.violations() == []


def test_of_a_large_set_the_likeliest_are_named(visit, facts):
    labels = [f"label{number}" for number in range(9)]
    one = another(visit, facts, SURE | {"sure": False, "set": labels})
    assert "label4, label5 or 3 more is right" in ask(one).locator("#shown").inner_text()


def test_a_model_that_is_never_sure_says_so(visit, facts):
    certainty = facts["certainty"] | {"threshold": 1.000001}
    one = another(visit, facts, SURE | {"sure": False, "set": []}, certainty=certainty)
    assert "No answer counts as sure" in ask(one).locator("#shown").inner_text()


def test_cells_are_asked_by_what_their_columns_hold(visit, facts):
    one = another(visit, facts, SURE | {"sure": True}, fields=CELLS)
    page = one.open()
    assert page.get_by_label("material").locator("option").all_inner_texts() == [
        *("not known", "glass", "metal")
    ]
    expect(page.get_by_role("group", name="Table")).to_contain_text("1.5 to 40")
    page.get_by_label("length").fill("2.5")
    page.get_by_label("day").fill("2024-02-03")
    page.get_by_label("hour").fill("2024-02-03T04:05:06")
    page.get_by_label("material").select_option("metal")
    command = page.locator("#curl").text_content()
    page.locator("#send").click()
    answered(page)
    for sent in ("length=2.5", "day=2024-02-03", "hour=2024-02-03T04:05:06", "material=metal"):
        assert sent.encode() in one.sent[-1]
        assert f"--form-string 'cell={sent}'" in command
    assert one.violations() == []


def test_every_medium_has_its_place(visit, facts):
    fields = [
        *({"kind": "text", "name": "title"}, {"kind": "text", "name": "story"}),
        *({"kind": "image", "name": "front"}, {"kind": "image", "name": "back"}),
        *({"kind": "audio", "name": None}, {"kind": "video", "name": None}),
    ]
    one = another(visit, facts, SURE | {"sure": True}, fields=fields)
    page = one.open()
    page.get_by_label("story").fill("long")
    for label, kind in (("back", "image/png"), ("Sound", "audio/wav"), ("Video", "video/mp4")):
        content = {"name": f"{label}.x", "mimeType": kind, "buffer": b"1234"}
        page.get_by_label(label, exact=True).set_input_files(content)
    page.locator("#send").click()
    answered(page)
    sent = one.sent[-1].decode()
    names = [line for line in sent.splitlines() if line.startswith("Content-Disposition")]
    assert [line.removeprefix("Content-Disposition: form-data; ") for line in names] == [
        'name="text"', 'name="text"',
        'name="image"; filename=""', 'name="image"; filename="back.x"',
        'name="audio"; filename="Sound.x"', 'name="video"; filename="Video.x"',
        'name="probabilities"', 'name="neighbours"',
    ]  # fmt: skip
    assert one.violations() == []


def test_a_file_that_is_too_large_is_told_where_it_is_chosen(visit, facts):
    limits = facts["limits"] | {"max_image_bytes": 1000}
    page = another(visit, facts, limits=limits).open()
    content = {"name": "a.png", "mimeType": "image/png", "buffer": b"1" * 1001}
    page.get_by_label("Picture").set_input_files(content)
    expect(page.locator("#field-1-error")).to_contain_text(
        "a.png has 1\u00a0kB: more than the 1\u00a0kB"
    )
    assert page.get_by_label("Picture").input_value() == ""


def test_what_the_server_says_is_shown(visit, facts):
    one = another(visit, facts)
    page = one.open()
    page.locator("textarea").fill("ant")
    for status in (400, 408, 413, 415, 429, 500, 503):
        said = f"What to mend at {status}."
        one.mock("v1/predict", {"error": said}, status, **{"retry-after": "7"})
        page.locator("#send").click()
        expect(page.locator("#form-error")).to_have_text(f"{said} Here: 7 s.")
        assert page.evaluate("document.activeElement.id") == "form-error"
        assert page.locator("#status").inner_text() == f"{said} Here: 7 s."
        assert page.locator("#send").inner_text() == "Answer"
        assert page.locator("textarea").input_value() == "ant"
    assert one.violations() == []


def test_a_server_that_is_gone_and_one_that_speaks_no_json(visit, facts):
    one = another(visit, facts)
    page = one.open()
    page.locator("textarea").fill("ant")
    one.route("v1/predict", lambda route: route.abort())
    page.locator("#send").click()
    expect(page.locator("#form-error")).to_contain_text("The server cannot be reached.")
    one.route("v1/predict", lambda route: route.fulfill(status=502, body="<h1>Bad</h1>"))
    page.locator("#send").click()
    expect(page.locator("#form-error")).to_have_text("The server answered with status 502.")


def test_a_model_that_is_being_loaded_is_waited_for(visit, facts):
    one = visit()
    turns = iter([503, 200])

    def answer(route):
        status = next(turns)
        body = facts if status == 200 else {"error": "The model is being loaded."}
        route.fulfill(status=status, json=body, headers={"retry-after": "1"})

    one.route("v1/model", answer)
    one.page.goto(one.address)
    expect(one.page.locator("#lead")).to_have_text("The model is being loaded.")
    expect(one.page.locator("#send")).to_be_visible()


def test_a_key_is_asked_for_and_kept_nowhere(visit):
    one = visit()

    def guarded(route):
        if route.request.headers.get("authorization") == "Bearer secret":
            route.continue_()
        else:
            route.fulfill(status=401, json={"error": "Send a valid key."})

    one.route("v1/**", guarded)
    page = one.page
    page.goto(one.address)
    key = page.get_by_label("API key")
    expect(key).to_be_focused()
    assert one.violations() == []
    expect(page.locator("#send")).to_be_hidden()
    key.fill("wrong")
    key.press("Enter")
    expect(page.locator("#key-error")).to_have_text("The server does not know this key.")
    assert one.violations() == []
    key.fill("secret")
    key.press("Enter")
    expect(page.locator("textarea")).to_be_focused()
    page.locator("#samples button").first.click()
    answered(page)
    assert '-H "Authorization: Bearer $FUSELINE_API_KEY"' in page.locator("#curl").text_content()
    assert "secret" not in page.content()
    kept = "[document.cookie, localStorage.length, sessionStorage.length, location.href].join()"
    assert page.evaluate(kept) == f",0,0,{one.address}/"


def test_another_model_in_the_place_of_the_first_is_told(visit, facts):
    one = another(visit, facts)
    origin = facts["origin"] | {"weights": "other"}
    one.mock("v1/predict", {"answers": [SURE | {"sure": True}], "origin": origin})
    assert "Another model has taken over" in ask(one).locator("#shown").inner_text()


def test_it_keeps_to_what_a_visitor_prefers(visit):
    grounds = set()
    for scheme, motion, moving in (("light", "reduce", "none"), ("dark", "no-preference", "grow")):
        page = visit(color_scheme=scheme, reduced_motion=motion).open()
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.locator("#samples button").first.click()
        answered(page)
        style = "one => getComputedStyle(one).animationName"
        assert page.locator(".bar span").first.evaluate(style) == moving
    assert len(grounds) == 2
    page.emulate_media(media="print")
    expect(page.locator("#send")).to_be_hidden()
    expect(page.locator("#shown .big")).to_be_visible()
