"""Keys, health, headers, the log, the end."""

from __future__ import annotations

import json
import logging

import pytest

from fuseline.errors import ConfigError
from fuseline.serving.server.logs import JsonLine
from fuseline.serving.server.settings import KEY_VARIABLE, read_keys

HEALTH = ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready")


def test_keys_open_all_but_health_which_is_open(run):
    keys = read_keys(None, {KEY_VARIABLE: "secret"})
    with run(keys=keys) as server:
        for path in ("/v1/model", "/metrics", "/v2/models/fuseline"):
            assert server.ask("GET", path).status_code == 401
            for wrong in ("Bearer wrong", "secret", "Bearer", "Basic secret"):
                response = server.ask("GET", path, headers={"authorization": wrong})
                assert response.status_code == 401
                assert response.headers["www-authenticate"] == "Bearer"
            key = {"authorization": "Bearer secret"}
            assert server.ask("GET", path, headers=key).status_code == 200
        for path in HEALTH:
            assert server.ask("GET", path).status_code == 200
        assert server.ask("GET", "/openapi.json").json()["security"] == [{"key": []}]


def test_keys_of_a_file_stand_a_line_each(tmp_path):
    file = tmp_path / "keys"
    file.write_text("one\n\n two \n")
    assert read_keys(file) == read_keys(None, {KEY_VARIABLE: "one"}) | read_keys(
        None, {KEY_VARIABLE: "two"}
    )
    assert read_keys(None, {}) == frozenset()
    file.write_text("\n")
    with pytest.raises(ConfigError, match="expected a key a line, found none"):
        read_keys(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_keys(tmp_path / "none")


def test_until_the_model_is_there_requests_are_told_to_wait(run, tmp_path):
    with run(model=tmp_path) as server:  # it never comes
        assert server.failures == 1
        for path in ("/health/ready", "/v2/health/ready", "/v1/model", "/v2/models/fuseline"):
            assert server.ask("GET", path).status_code == 503
        response = server.predict({"text": "ant"})
        assert response.status_code == 503
        assert response.headers["retry-after"]
        assert server.ask("GET", "/health/live").status_code == 200


def test_a_server_that_ends_answers_what_is_in_flight_and_sends_away_the_rest(run):
    with run() as server:
        server.state.gate.closing = True
        response = server.predict({"text": "ant"})
        assert response.status_code == 503
        assert response.headers["connection"] == "close"
        assert server.ask("GET", "/health/ready").status_code == 503
        assert server.ask("GET", "/health/live").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/none", 404), ("GET", "/v1/predict", 405)]
)
def test_a_wrong_address_is_told(server, method, path, status):
    response = server.ask(method, path)
    assert response.status_code == status
    assert "/openapi.json" in response.json()["error"]
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_a_request_keeps_its_name(server):
    headers = {"x-request-id": "my-request.1"}
    given = server.ask("GET", "/health/live", headers=headers).headers["x-request-id"]
    assert given == "my-request.1"
    headers = {"x-request-id": "no name\x01"}
    assert server.ask("GET", "/health/live", headers=headers).headers["x-request-id"] != given


def test_the_log_has_every_request_and_nothing_that_was_in_it(server, caplog):
    caplog.set_level(logging.INFO, "fuseline.serve")
    server.predict({"text": "confidential ant", "id": "confidential"})
    server.ask("POST", "/v1/predict", content=b'{"confidential": 1}')
    lines = [json.loads(JsonLine().format(record)) for record in caplog.records]
    found = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in found] == [200, 415]
    assert {"time", "level", "request", "method", "route", "seconds"} <= set(found[0])
    assert "confidential" not in json.dumps(lines)


def test_a_sender_that_goes_away_is_no_failure_of_the_server(run):
    parts = [
        {"type": "http.request", "body": b'{"rows": ', "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    scope = {"type": "http", "method": "POST", "path": "/v1/predict", "query_string": b""}

    async def receive():
        return parts.pop(0)

    async def send(_):
        pass

    with run() as server:
        server.within(server.guard(scope | {"headers": headers}, receive, send))
        told = server.ask("GET", "/metrics").text
        assert 'requests_total{route="/v1/predict",status="499"} 1.0' in told
        assert 'status="500"' not in told


def test_an_error_is_logged_by_its_kind_and_place_alone(server, caplog, monkeypatch):
    def fail(*_):
        raise RuntimeError("confidential")

    monkeypatch.setattr(server.state.served.engine.predictor, "scored", fail)
    response = server.predict({"text": "ant"})
    assert response.status_code == 500
    assert "log" in response.json()["error"]
    lines = [json.loads(JsonLine().format(record)) for record in caplog.records]
    (failed,) = [line for line in lines if line["event"] == "batch_failed"]
    assert failed["error"] == "RuntimeError"
    assert failed["at"][-1].startswith("fail:")
    assert "confidential" not in json.dumps(lines)
