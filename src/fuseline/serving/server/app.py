"""The application: its parts, put together."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from fuseline.serving.server import chat, documents, page, protocol, recommend, routes
from fuseline.serving.server.draining import Draining, Gate
from fuseline.serving.server.engine import Served
from fuseline.serving.server.guard import GONE, Guard, failure_headers
from fuseline.serving.server.limits import Admission
from fuseline.serving.server.logs import tell
from fuseline.serving.server.metrics import Metrics
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.settings import FAILED, Settings

REMEDIES = {
    404: "There is no such route. See /openapi.json.",
    405: "The route has another method. See /openapi.json.",
}


def create_app(settings: Settings, give_up: Callable[[], object] | None = None) -> Guard:
    """An application that serves one export.

    Args:
        settings: how.
        give_up: called where the first export cannot be served; ends the process if absent.
    """
    gate, metrics = Gate(), Metrics()
    served = Served(settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        drain_seconds = settings.request_seconds
        app.state.draining = Draining(gate, drain_seconds)
        task = asyncio.create_task(_serve(served, give_up or _end))
        if settings.workers > 1:
            # Connections go to those that listen, and so to those that answer.
            await served.begun.wait()
        yield
        task.cancel()
        await served.close()
        await asyncio.to_thread(app.state.conversations.close)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.served, app.state.gate, app.state.metrics = served, gate, metrics
    app.state.admission = Admission(settings.max_concurrent_requests)
    app.state.conversations = chat.Conversations(settings, metrics)
    for part in (page, routes, chat, recommend, protocol, documents):
        app.include_router(part.router)
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(RequestValidationError, _wrong_address)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _failed)
    app.openapi = partial(documents.describe, app, with_key=bool(settings.keys))  # type: ignore[method-assign]
    return Guard(app, gate, settings.keys, metrics)


def _end() -> None:
    os._exit(FAILED)


async def _serve(served: Served, give_up: Callable[[], object]) -> None:
    """Load the export while the routes say that it is not ready, then look for new ones."""
    try:
        await served.begin()
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be served
        tell("failed", logging.ERROR, reason=str(error))
        give_up()
        return
    if served.settings.reload_seconds:
        await served.watch()


async def _rejected(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Rejected)
    return _failure(error)


async def _no_route(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = error.status_code
    return _failure(Rejected(status, REMEDIES.get(status, HTTPStatus(status).phrase)))


async def _wrong_address(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _failure(Rejected(422, "The address holds a wrong value. See /openapi.json."))


async def _gone(_: Request, error: Exception) -> Response:
    del error  # a failure of the sender, which nobody should be woken for
    return Response(status_code=GONE)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    del error  # the guard logs it
    return _failure(Rejected(500, "The server could not answer. Its log says where it failed."))


def _failure(rejected: Rejected) -> JSONResponse:
    headers = failure_headers(rejected)
    return JSONResponse({"error": rejected.message}, rejected.status, headers=headers)
