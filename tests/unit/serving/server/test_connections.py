"""A client that is slow with its headers is dropped; one that is not stays."""

from __future__ import annotations

import socket
import threading
import time

import pytest
import uvicorn

from fuseline.serving.server import connections
from fuseline.serving.server.connections import Connection

WHOLE = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n"


async def hello(scope, receive, send):
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body"})


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)
    config = uvicorn.Config(hello, http=Connection, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield listening.getsockname()
        server.should_exit = True
        thread.join()


def ended(connection):
    """Whether the other side has closed it, or does within two seconds."""
    connection.settimeout(2)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nhost:"])
def test_headers_that_do_not_come_close_the_connection(address, begun):
    with socket.create_connection(address) as connection:
        connection.sendall(begun)
        assert ended(connection)


def test_so_do_those_of_a_second_request(address):
    with socket.create_connection(address) as connection:
        connection.sendall(WHOLE)
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert ended(connection)


def test_a_connection_that_waits_between_requests_stays(address):
    with socket.create_connection(address) as connection:
        for _ in range(2):
            connection.sendall(WHOLE)
            assert connection.recv(1024).startswith(b"HTTP/1.1 200")
            time.sleep(0.6)
