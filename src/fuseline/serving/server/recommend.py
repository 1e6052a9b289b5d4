"""Lists of items for people over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from fuseline.errors import ConfigError
from fuseline.serving.recommending.catalogue import History
from fuseline.serving.recommending.filters import Condition
from fuseline.serving.recommending.given import Event, history_of, seconds_of
from fuseline.serving.recommending.recommender import Recommender
from fuseline.serving.server.asking import received
from fuseline.serving.server.bodies import Job, Kind, validated
from fuseline.serving.server.documents import body_of
from fuseline.serving.server.engine import Engine, Served
from fuseline.serving.server.metrics import Metrics
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.routes import FAILURES
from fuseline.serving.server.schemas import (
    EventBody,
    Failure,
    ItemFacts,
    RecommendRequest,
    RecommendResponse,
)

JSON: dict[str, Kind] = {"application/json": "json"}
OTHERS: dict[int | str, dict[str, Any]] = {
    **FAILURES,
    404: {"model": Failure, "description": "No recommender, or the user is unknown."},
}
NO_RECOMMENDER = (
    "This server recommends nothing: its export's first task is not recommendation. Serve one"
    " whose is with `fuseline serve --model EXPORT`."
)
UNKNOWN_USER = "user: nothing is known of this one. Send `history`, a list of ids, in its place."
BODY_BYTES = 2**20
# Of a history, the last events that come back.
SHOWN_EVENTS = 50
FOUND_ITEMS = 20
router = APIRouter(tags=["recommend"])


@router.post(
    "/v1/recommend",
    responses=OTHERS,
    openapi_extra=body_of({"application/json": "RecommendRequest"}),
)
async def recommend(request: Request) -> RecommendResponse:
    """List items for a known user, or for whoever has a history, each with why it is listed."""
    metrics: Metrics = request.app.state.metrics
    async with received(request, JSON) as (engine, job):
        recommender = _recommender(engine)
        _check_size(job)
        asked = validated(RecommendRequest, job.body)
        found = await asyncio.to_thread(_answer, recommender, asked)
    metrics.recommendations.labels(found.basis).inc()
    return found


@router.get("/v1/items", responses=OTHERS)
async def items(
    request: Request, query: Annotated[str, Query(min_length=1, max_length=200)]
) -> list[ItemFacts]:
    """Items whose text or id holds a query, those with most events first; twenty at most."""
    served: Served = request.app.state.served
    recommender = _recommender(served.engine)
    rows = await asyncio.to_thread(recommender.items.matching, query, FOUND_ITEMS)
    return [_item(recommender, row) for row in rows]


def _recommender(engine: Engine) -> Recommender:
    if engine.recommender is None:
        raise Rejected(404, NO_RECOMMENDER)
    return engine.recommender


def _check_size(job: Job) -> None:
    if len(job.body) > BODY_BYTES:
        raise Rejected(413, f"body: expected at most {BODY_BYTES} bytes. Send fewer events.")


def _answer(recommender: Recommender, asked: RecommendRequest) -> RecommendResponse:
    try:
        history, unknown = _history(recommender, asked)
        listed = recommender.recommend(
            history,
            count=asked.count,
            seen=asked.include_seen,
            where=[Condition.of(one, "where") for one in asked.where],
            diversity=asked.diversity,
        )
    except ConfigError as error:
        raise Rejected(422, str(error)) from None
    last = slice(None, -SHOWN_EVENTS - 1, -1)
    events = zip(history.items[last].tolist(), history.times[last].tolist(), strict=True)
    return RecommendResponse.model_validate(
        {
            "basis": "history" if len(history.items) else "popularity",
            "items": [one.as_object() for one in listed],
            "history": [
                {**_item(recommender, row).model_dump(), "time": time} for row, time in events
            ],
            "num_events": len(history.items),
            "unknown": unknown,
        }
    )


def _history(recommender: Recommender, asked: RecommendRequest) -> tuple[History, Sequence[str]]:
    if (asked.user is None) == (asked.history is None):
        raise Rejected(422, "body: expected one of `user` and `history`. Send one of them.")
    if asked.user is not None:
        known = recommender.users.find(asked.user)
        if known is None:
            raise Rejected(404, UNKNOWN_USER)
        return known, ()
    events = [_event(place, one) for place, one in enumerate(asked.history or ())]
    return history_of(events, recommender.items, recommender.facts.as_of, "history")


def _event(place: int, given: str | EventBody) -> Event:
    if isinstance(given, str):
        return Event(given)
    return Event(given.item, seconds_of(given.time, f"history.{place}"))


def _item(recommender: Recommender, row: int) -> ItemFacts:
    found = recommender.items
    return ItemFacts(id=found.ids[row], text=found.texts[row])
