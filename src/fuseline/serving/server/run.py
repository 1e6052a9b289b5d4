"""What `fuseline serve` does with its options."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from functools import partial
from typing import Any

from fuseline.errors import ConfigError
from fuseline.serving.chat.config import read_service
from fuseline.serving.contract import MODEL_FILES, read_contract
from fuseline.serving.server.settings import FAILED, Settings

KEEP_ALIVE_SECONDS = 5


def serve(settings: Settings, host: str, port: int) -> None:
    """Answer requests until a signal ends it.

    Args:
        settings: of every process; each has a model and decoders of its own.
        host, port: to listen on; port 0 for a free one.

    Raises:
        SystemExit: an export turned out to be damaged.
        ConfigError: no export is there, the address cannot be had, or the extra is missing.
    """
    try:
        import uvicorn
        from uvicorn.supervisors import Multiprocess

        from fuseline.serving.server.connections import Connection
        from fuseline.serving.server.score_log import ScoreLog
    except ImportError as error:
        raise ConfigError(
            f"{error.name}: not installed, and `fuseline serve` needs it. Install it with"
            " `pip install 'fuseline[serve]'`."
        ) from None
    for folder in filter(None, (settings.model, settings.shadow)):
        read_contract(folder)
        file = folder / MODEL_FILES[settings.options.format]
        if not file.is_file():
            raise ConfigError(
                f"{file}: not found. Fetch it with `dvc pull`, or `dvc repro export`."
            )
    if settings.service:
        read_service(settings.service)
        if settings.workers > 1:
            raise ConfigError(
                "--service: expected one worker, found --workers"
                f" {settings.workers}. A conversation is remembered by the process that holds it;"
                " raise --threads instead."
            )
    if settings.score_log:
        ScoreLog(settings.score_log).check()
    config = uvicorn.Config(
        partial(_app, settings),
        factory=True,
        workers=settings.workers,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.request_seconds),
    )
    listening = _listen(host, port)
    _say(listening, settings.workers)
    if settings.workers > 1:
        from fuseline.serving.server.metrics import SHARED

        with tempfile.TemporaryDirectory(prefix="fuseline-") as shared:
            os.environ[SHARED] = shared
            supervisor = Multiprocess(config, [listening])
            supervisor.run()
        if any(one.exitcode == FAILED for one in supervisor.processes):
            sys.exit(FAILED)
        return
    # Uvicorn raises the signal that ended it again, once all is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run([listening])


def _app(settings: Settings) -> Any:
    """The application, in the process that serves it."""
    from fuseline.serving.server.app import create_app
    from fuseline.serving.server.logs import start_logging

    start_logging()
    return create_app(settings)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"--host {host} --port {port}: cannot be listened on ({error.strerror}). Name another"
            " with --port, or 0 for any that is free."
        ) from None
    listening.set_inheritable(True)
    # Connections take it over. Without it a body waits up to 40 ms for its headers to be received.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _say(listening: socket.socket, workers: int) -> None:
    from fuseline.serving.server.logs import start_logging, tell

    start_logging()
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    tell("listening", address=f"http://{shown}:{port}", workers=workers)
