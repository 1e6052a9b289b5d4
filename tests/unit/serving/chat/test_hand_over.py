"""Records of hand-overs, kept and sent."""

import json
from pathlib import Path
from threading import Event, Timer

import pytest

from fuseline.errors import ConfigError
from fuseline.serving.chat import hand_over
from fuseline.serving.chat.hand_over import Desk
from fuseline.serving.chat.reply import HandOver
from tests.support.services import dialogue, service, understood
from tests.support.webhooks import Receiver, receiver


def record(folder: Path) -> HandOver:
    one = dialogue(service(folder))
    found = one.turn(one.begin(), "talk to a human", understood())[1]
    assert found is not None
    return found


def hook(other: Receiver, **changes: object) -> dict:
    return {"url": other.url, "timeout_seconds": 5.0, "retries": 1} | changes


def held_up(desk: Desk, until: Event, monkeypatch: pytest.MonkeyPatch) -> Event:
    """What is set once the desk sends, which then waits for an event."""
    begun = Event()
    monkeypatch.setattr(desk._webhook, "send", lambda _: begun.set() or (until.wait() and None))
    return begun


def test_a_record_is_kept_and_sent(tmp_path: Path) -> None:
    told: list[str] = []
    with receiver() as other:
        params = {"hand_over__file": "kept/desk.jsonl", "hand_over__webhook": hook(other)}
        desk = Desk(service(tmp_path, **params), told.append)
        sent = desk.take("abc", record(tmp_path / "other"))
        assert sent is not None
        desk.close()
    (line,) = (tmp_path / "kept/desk.jsonl").read_text().splitlines()
    assert other.bodies == [json.loads(line)]
    assert json.loads(line)["conversation"] == "abc"
    assert json.loads(line)["reason"] == "wish"
    assert told == ["sent"]


def test_a_record_that_cannot_be_sent_is_kept_and_told_of_without_contents(tmp_path: Path) -> None:
    told: list[str] = []
    with receiver(404) as other:
        params = {"hand_over__file": "desk.jsonl", "hand_over__webhook": hook(other)}
        desk = Desk(service(tmp_path, **params), told.append)
        desk.take("abc", record(tmp_path / "other"))
        desk.close()
    assert told == ["not sent: status 404"]
    assert (tmp_path / "desk.jsonl").read_text().count("\n") == 1


def test_a_file_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"service.hand_over.file: .*cannot be written"):
        Desk(service(tmp_path, hand_over__file="file/desk.jsonl"), print)


def test_a_slow_desk_is_waited_for_by_no_more_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_over, "MOST_WAITING", 2)
    told: list[str] = []
    goes_on = Event()
    with receiver() as other:
        params = {"hand_over__file": "desk.jsonl", "hand_over__webhook": hook(other)}
        desk = Desk(service(tmp_path, **params), told.append)
        begun = held_up(desk, goes_on, monkeypatch)
        one = record(tmp_path / "other")
        desk.take("abc", one)
        begun.wait(5.0)
        taken = [desk.take("abc", one) for _ in range(3)]
        assert [bool(sent) for sent in taken] == [True, True, False]
        assert told == ["not sent: 2 wait before it"]
        goes_on.set()
        desk.close()
    assert told[1:] == ["sent"] * 3
    assert (tmp_path / "desk.jsonl").read_text().count("\n") == 4


def test_the_end_is_not_put_off_by_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_over, "CLOSE_SECONDS", -1.0)
    told: list[str] = []
    goes_on = Event()
    with receiver() as other:
        desk = Desk(service(tmp_path, hand_over__webhook=hook(other)), told.append)
        begun = held_up(desk, goes_on, monkeypatch)
        one = record(tmp_path / "other")
        desk.take("abc", one)
        begun.wait(5.0)
        desk.take("abc", one)
        Timer(0.5, goes_on.set).start()
        desk.close()
    assert told == ["sent", "not sent: the end came before it"]
