"""What is sent away before anything of it is decoded."""

from __future__ import annotations

import asyncio

import pytest

from fuseline.serving.server.limits import Admission, Limits
from fuseline.serving.server.rejected import Rejected

JSON = {"content-type": "application/json"}


def test_limits_follow_from_how_rows_are_checked(server):
    contract = server.state.served.engine.contract
    limits = server.state.served.engine.limits
    given = contract.ingest.limits
    assert limits.body_bytes > given.max_image_bytes * 4 / 3
    assert limits.body_bytes < given.max_image_bytes * 4 / 3 + given.max_video_bytes
    heard = contract.model_copy(update={"modalities": ["audio"]})
    settings = server.state.served.settings
    assert Limits.of(heard, settings).body_bytes > given.max_video_bytes * 4 / 3


def test_a_body_that_says_that_it_is_too_large_is_not_read(server):
    most = server.state.served.engine.limits.body_bytes
    headers = JSON | {"content-length": str(most + 1), "expect": "100-continue"}
    response = server.ask("POST", "/v1/predict", content=b"{}", headers=headers)
    assert response.status_code == 413
    assert f"at most {most} bytes" in response.json()["error"]
    assert response.headers["connection"] == "close"


def test_nor_is_one_read_to_its_end_that_turns_out_to_be(server):
    most = server.state.served.engine.limits.body_bytes

    async def parts():
        for _ in range(most // 2**20 + 2):
            yield bytes(2**20)

    response = server.ask("POST", "/v1/predict", content=parts(), headers=JSON)
    assert response.status_code == 413


def test_a_body_that_comes_too_slowly_is_waited_for_no_longer(run):
    async def parts():
        yield b'{"rows": '
        await asyncio.sleep(30)

    with run(body_seconds=0.1) as server:
        response = server.ask("POST", "/v1/predict", content=parts(), headers=JSON)
        assert response.status_code == 408
        assert "within 0.1 seconds" in response.json()["error"]


def test_more_requests_than_are_taken_at_a_time_are_told_to_come_again(run):
    one = {"method": "POST", "url": "/v1/predict", "json": {"rows": [{"text": "ant"}]}}
    with run(max_concurrent_requests=2, max_wait_ms=200) as server:
        found = server.together([one] * 6)
        assert sorted(response.status_code for response in found) == [200] * 2 + [429] * 4
        refused = next(response for response in found if response.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert "Retry-After" in refused.json()["error"]
        assert server.predict({"text": "ant"}).status_code == 200


def test_a_request_that_waits_too_long_is_told_to_come_again(run):
    with run(request_seconds=0.2, max_wait_ms=5000) as server:
        response = server.predict({"text": "ant"})
        assert response.status_code == 429
        assert response.headers["retry-after"]


def test_bodies_at_work_have_a_weight_together():
    admission = Admission(max_requests=9, max_bytes=10)
    with admission.body(25):  # one alone always has room
        with pytest.raises(Rejected) as raised, admission.body(1):
            pass
        assert raised.value.status == 429
    with admission.body(5), admission.body(5):
        pass
