"""Conversations over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from fuseline.errors import ConfigError
from fuseline.serving.chat.sessions import shown_name
from fuseline.serving.server.logs import JsonLine
from fuseline.serving.server.run import serve
from tests.support.services import write_service
from tests.support.webhooks import receiver

KEY = {"Authorization": "Bearer open"}
KEYS = frozenset({sha256(b"open").digest()})
SENTENCES = ["tab", "tab can", "can tab", "tab tab", "tab can tab"]


@pytest.fixture(scope="module")
def talking(run, tmp_path_factory) -> Iterator[Any]:
    with run(service=write_service(tmp_path_factory.mktemp("service"))) as running:
        yield running


def say(running: Any, message: str, session: str | None = None, **headers: str) -> Any:
    body = {"message": message} | ({"session": session} if session else {})
    return running.ask("POST", "/v1/chat", json=body, headers=headers)


def test_a_conversation_goes_on_by_its_name(talking) -> None:
    first = say(talking, "hello").json()
    assert (first["kind"], first["text"], first["by"]) == ("answer", "Good day.", "small_talk")
    second = say(talking, "talk to a human", first["session"]).json()
    assert (second["session"], second["reason"]) == (first["session"], "wish")
    third = say(talking, "hello", first["session"]).json()
    assert (third["kind"], third["text"]) == ("hand_over", "A colleague has it.")
    assert say(talking, "hello").json()["kind"] == "answer"


def test_a_message_is_answered_by_the_knowledge_with_its_source(talking) -> None:
    found = say(talking, "How do I reset my password?").json()
    assert (found["kind"], found["by"]) == ("answer", "knowledge")
    assert found["sources"][0]["source"] == "knowledge.csv, row 1"
    assert found["sources"][0]["evidence"] > 1


def test_conversations_are_bounded(talking) -> None:
    names = [say(talking, "hello").json()["session"] for _ in range(4)]
    assert say(talking, "hello", names[0]).status_code == 404
    assert "Leave it out" in say(talking, "hello", names[0]).json()["error"]
    assert say(talking, "hello", names[-1]).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"message": ""}, 422, "message: String should have at least 1"),
        ({"mesage": "x"}, 422, "message: Field required"),
        ({"message": "x", "session": "guess"}, 404, "session: unknown"),
        ([], 422, "body: "),
    ],
)
def test_a_wrong_message_is_told(talking, body: Any, status: int, said: str) -> None:
    answer = talking.ask("POST", "/v1/chat", json=body)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True)


def test_what_is_too_long_is_not_read(talking) -> None:
    assert say(talking, "x" * 201).json()["kind"] == "refused"
    assert say(talking, " ").json()["kind"] == "refused"


def test_a_body_that_no_message_needs_is_not_looked_at(talking) -> None:
    answer = say(talking, "x" * 100_000)
    assert (answer.status_code, "at most 200 characters" in answer.json()["error"]) == (413, True)
    escaped = json.dumps({"message": "\U0001f41c" * 200})
    assert len(escaped) > 12 * 200
    kind = {"Content-Type": "application/json"}
    assert talking.ask("POST", "/v1/chat", content=escaped, headers=kind).status_code == 200


def test_a_hand_over_whose_request_is_given_up_is_kept(run, tmp_path: Path) -> None:
    path = write_service(tmp_path, hand_over__file="desk.jsonl")
    desk = tmp_path / "desk.jsonl"
    with run(service=path, request_seconds=5.0) as running:
        name = say(running, "hello").json()["session"]
        engine = running.state.served.engine
        turn = engine.dialogue.turn

        def slowly(*asked: Any) -> Any:
            time.sleep(7.0)
            return turn(*asked)

        engine.dialogue.turn = slowly
        assert say(running, "talk to a human", name).status_code == 429
        engine.dialogue.turn = turn
        assert say(running, "hello", name).json()["text"] == "A colleague has it."
        (record,) = desk.read_text().splitlines()
    assert json.loads(record)["reason"] == "wish"


def test_rows_are_answered_as_without_conversations(talking, server) -> None:
    row = {"text": "ant bee"}
    with_chat, without = (one.predict(row, probabilities=True) for one in (talking, server))
    assert with_chat.json() == without.json()
    outputs = [one.ask("GET", "/v2/models/fuseline").json() for one in (talking, server)]
    assert outputs[0] == outputs[1]
    facts = [one.ask("GET", "/v1/model").json() for one in (talking, server)]
    assert [one.pop("converses") for one in facts] == [True, False]
    assert facts[0] == facts[1]


def test_a_server_without_a_service_says_so(server) -> None:
    for method, path in (("POST", "/v1/chat"), ("GET", "/v1/intents"), ("POST", "/v1/intents")):
        answer = server.ask(method, path, json={"message": "x"})
        assert (answer.status_code, "--service" in answer.json()["error"]) == (404, True)


def test_hand_overs_are_sent_and_logs_hold_no_contents(run, tmp_path: Path) -> None:
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    handler.setFormatter(JsonLine())
    logger = logging.getLogger("fuseline.serve")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    with receiver() as other:
        hook = {"url": other.url, "timeout_seconds": 5.0, "retries": 0}
        path = write_service(tmp_path, hand_over__webhook=hook, hand_over__file="desk.jsonl")
        with run(service=path) as running:
            name = say(running, "secretword ada@example.org").json()["session"]
            say(running, "talk to a human about otherword", name)
            running.wait(lambda: other.bodies)
            metrics = running.ask("GET", "/metrics").text
    logger.removeHandler(handler)
    kept = [json.loads(line) for line in (tmp_path / "desk.jsonl").read_text().splitlines()]
    assert other.bodies == kept
    assert kept[-1]["conversation"] == shown_name(name)
    assert "[EMAIL]" in json.dumps(kept)
    assert "ada@" not in json.dumps(kept)
    logged = told.getvalue()
    assert '"event": "chat"' in logged
    assert '"event": "hand_over", "outcome": "sent"' in logged
    assert not any(word in logged for word in ("secretword", "otherword", "ada@", name))
    assert 'fuseline_chat_replies_total{kind="hand_over"' in metrics


def test_an_intent_is_added_to_the_running_server(run, tmp_path: Path) -> None:
    path = write_service(tmp_path)
    new = {"intent": "tab", "sentences": SENTENCES}
    with run(service=path, keys=KEYS) as running:
        assert running.ask("POST", "/v1/intents", json=new).status_code == 401
        assert running.ask("GET", "/v1/intents", headers=KEY).json() == []
        added = running.ask("POST", "/v1/intents", json=new, headers=KEY)
        assert added.json() == [{"intent": "tab", "sentences": 5}]
        assert running.state.served.engine.dialogue.added.names == ["tab"]
        known = running.ask("POST", "/v1/intents", json=new | {"intent": "ant"}, headers=KEY)
        assert (known.status_code, "has learnt one" in known.json()["error"]) == (422, True)
        few = running.ask("POST", "/v1/intents", json=new | {"sentences": ["a"]}, headers=KEY)
        assert (few.status_code, "5 to 1000 different" in few.json()["error"]) == (422, True)
    assert (tmp_path / "new_intents.jsonl").read_text().count("\n") == 1
    with run(service=path) as again:
        assert again.ask("GET", "/v1/intents").json() == added.json()


def test_an_intent_that_is_added_while_an_export_is_taken_up_is_kept(run, tmp_path: Path) -> None:
    new = {"intent": "tab", "sentences": SENTENCES}
    with run(service=write_service(tmp_path), keys=KEYS) as running:
        served = running.state.served
        first = served.engine

        async def both() -> httpx.Response:
            await served.changes.acquire()  # as watch does
            asking = asyncio.create_task(running._client.post("/v1/intents", json=new, headers=KEY))
            try:
                await served._take_up()
            finally:
                served.changes.release()
            return await asking

        assert running.within(both()).status_code == 200
        assert served.engine is not first
        assert served.engine.dialogue.added.names == ["tab"]
        running.wait(lambda: not served._retiring)


def test_a_file_of_intents_that_cannot_be_written_is_told(run, tmp_path: Path) -> None:
    path = write_service(tmp_path, new_intents="none/new_intents.jsonl")
    with run(service=path, keys=KEYS) as running:
        new = {"intent": "tab", "sentences": SENTENCES}
        answer = running.ask("POST", "/v1/intents", json=new, headers=KEY)
        assert (answer.status_code, "cannot be written" in answer.json()["error"]) == (500, True)
        assert running.ask("GET", "/v1/intents", headers=KEY).json() == []


def test_nobody_without_a_key_adds_intents(talking) -> None:
    new = {"intent": "tab", "sentences": SENTENCES}
    assert talking.ask("POST", "/v1/intents", json=new).status_code == 403


def test_several_processes_hold_no_conversations(settings, tmp_path: Path) -> None:
    from dataclasses import replace

    path = write_service(tmp_path)
    with pytest.raises(ConfigError, match="--service: expected one worker, found --workers 2"):
        serve(replace(settings, service=path, workers=2), "127.0.0.1", 0)
    with pytest.raises(ConfigError, match=r"none.yaml: not found"):
        serve(replace(settings, service=tmp_path / "none.yaml"), "127.0.0.1", 0)
