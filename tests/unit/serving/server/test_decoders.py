"""A decoder that dies, or does not come to an end, costs one request its answer."""

from __future__ import annotations

import os
import signal

import psutil
import pytest


def decoders(server):
    return server.state.served.engine.decoders


def pids(server):
    return [decoder.pid for decoder in decoders(server)._free._queue]


def halted(server):
    """The one decoder, which does nothing until it is told to go on."""
    (pid,) = pids(server)
    os.kill(pid, signal.SIGSTOP)
    return pid


def replaced(server, pid):
    server.wait(lambda: pids(server) and pids(server) != [pid])
    assert "fuseline_decoders_replaced_total 1.0" in server.ask("GET", "/metrics").text
    assert server.predict({"text": "ant"}).status_code == 200


def test_a_decoder_that_dies_is_replaced_and_one_request_told(run):
    with run() as server:
        pid = halted(server)
        work = server.start({"text": "ant"})
        server.wait(lambda: not pids(server))
        other = server.start({"text": "bee"})
        os.kill(pid, signal.SIGKILL)
        response = work.result(60)
        assert response.status_code == 422
        assert "came to its end" in response.json()["error"]
        assert other.result(60).status_code == 200
        replaced(server, pid)


def test_so_is_one_that_does_not_come_to_an_end(run):
    with run(decode_seconds=0.5) as server:
        pid = halted(server)
        response = server.predict({"text": "ant"})
        assert response.status_code == 422
        assert "over 0.5 seconds" in response.json()["error"]
        replaced(server, pid)
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_reach_every_process_leave_it_at_its_work(run, number):
    with run() as server:
        (pid,) = pids(server)
        os.kill(pid, number)
        assert server.predict({"text": "ant"}).status_code == 200
        assert pids(server) == [pid]


def test_a_server_that_ends_takes_them_along(run):
    with run(decoders=2) as server:
        known = pids(server)
        assert len(known) == 2
    server.wait(lambda: not any(psutil.pid_exists(pid) for pid in known))
