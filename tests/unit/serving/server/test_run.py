import socket

import pytest

from fuseline.errors import ConfigError
from fuseline.serving.server.run import _listen


def test_answers_do_not_wait_for_their_headers_to_be_received():
    with (
        _listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_taken_is_told():
    with _listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"--port {port}: cannot be listened on"):
            _listen("127.0.0.1", port)
