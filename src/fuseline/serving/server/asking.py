"""From a request to answers, whatever its protocol."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.requests import Request

from fuseline.serving.server.bodies import Asked, Job, Kind
from fuseline.serving.server.engine import Answer, Engine, Served
from fuseline.serving.server.limits import Admission, declared_bytes, read_body
from fuseline.serving.server.rejected import Rejected

LONGEST_RETRY_SECONDS = 60


async def ask(request: Request, kinds: Mapping[str, Kind]) -> tuple[Engine, Asked, list[Answer]]:
    """Read a request and answer its rows.

    Args:
        request: with a body.
        kinds: of bodies that it may have, by media type.

    Raises:
        Rejected: it is wrong, too large or too slow, or there is no room for it.
    """
    async with received(request, kinds) as (engine, job):
        return engine, *await engine.answers(job, request.state.id)


@asynccontextmanager
async def received(
    request: Request, kinds: Mapping[str, Kind]
) -> AsyncIterator[tuple[Engine, Job]]:
    """The body of a request, and the engine to answer it with; both are held as long as this is.

    Args:
        request: with a body.
        kinds: of bodies that it may have, by media type.

    Raises:
        Rejected: it is too large or too slow, there is no room for it, or what is done with it
            takes too long.
    """
    kind = _kind(request, kinds)
    served: Served = request.app.state.served
    admission: Admission = request.app.state.admission
    engine, settings = served.engine, served.settings
    retry = min(max(1, math.ceil(engine.batcher.wait_seconds)), LONGEST_RETRY_SECONDS)
    size = declared_bytes(request, engine.limits)
    held = min(size, engine.limits.body_bytes)
    with admission.request(retry), admission.body(held), engine.held():
        try:
            async with asyncio.timeout(settings.request_seconds):
                body = await read_body(request, size, engine.limits, settings.body_seconds)
                yield engine, Job(kind, request.headers.get("content-type", ""), body)
        except TimeoutError:
            raise Rejected(
                429,
                f"Not answered within {settings.request_seconds:g} seconds. Send it again"
                " after the seconds that Retry-After names, or with fewer rows.",
                retry,
            ) from None


def _kind(request: Request, kinds: Mapping[str, Kind]) -> Kind:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in kinds:
        raise Rejected(
            415, f"Content-Type: expected {' or '.join(kinds)}. Name it, and send such a body."
        )
    return kinds[given]
