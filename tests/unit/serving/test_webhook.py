"""Objects that are sent to an address."""

import pytest
from pydantic import ValidationError

from fuseline.serving import webhook
from fuseline.serving.webhook import Webhook, WebhookParams
from tests.support.webhooks import receiver


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "FIRST_PAUSE_SECONDS", 0.0)


def to(url: str, retries: int) -> WebhookParams:
    return WebhookParams(url=url, timeout_seconds=5.0, retries=retries)


def test_an_object_is_sent_as_json() -> None:
    with receiver() as other:
        assert Webhook(to(other.url, 0)).send({"a": "é"}) is None
    assert other.bodies == [{"a": "é"}]


def test_what_may_pass_is_tried_again() -> None:
    with receiver(503, 429, 204) as other:
        assert Webhook(to(other.url, 2)).send({"a": 1}) is None
    assert other.bodies == [{"a": 1}] * 3
    with receiver(500) as other:
        assert Webhook(to(other.url, 1)).send({}) == "status 500"
    assert len(other.bodies) == 2


@pytest.mark.parametrize("status", [302, 400, 404])
def test_what_stays_is_not_tried_again_nor_followed(status: int) -> None:
    with receiver(status) as other:
        assert Webhook(to(other.url, 3)).send({}) == f"status {status}"
    assert len(other.bodies) == 1


def test_nobody_there_is_told() -> None:
    with receiver() as other:
        url = other.url
    assert Webhook(to(url, 1)).send({}) == "ConnectionRefusedError"


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///path",
        "http://[::1",
        "http://desk.example:port/",
        "http://desk.example/a b",
        "http://desk.example/\n",
        "http://desk.example/grüße",
        "http://ada:secret@desk.example/",
    ],
)
def test_what_no_client_can_ask_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError, match="expected an address such as https://desk"):
        to(url, 0)
    assert to("https://[::1]:8443/hook?key=%20", 0).url
