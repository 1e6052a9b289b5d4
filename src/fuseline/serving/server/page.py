"""The page at `/`, and what only it asks for: rows to try, and small pictures of training rows."""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fuseline.serving.server.engine import Served
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.schemas import Failure, Medium, Row, Sample

ASSETS = {
    "index.html": "text/html",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
    "main.js": "text/javascript",
    "form.js": "text/javascript",
    "answer.js": "text/javascript",
    "curl.js": "text/javascript",
    "server.js": "text/javascript",
    "chat.html": "text/html",
    "chat.css": "text/css",
    "chat.js": "text/javascript",
    "dom.js": "text/javascript",
    "recommend.html": "text/html",
    "recommend.css": "text/css",
    "recommend.js": "text/javascript",
    "why.js": "text/javascript",
}
# Previews and small pictures are blobs of the page's own. Scripts can make no elements of texts.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
router = APIRouter()


@router.get("/", include_in_schema=False)
async def page() -> Response:
    """The page."""
    return _asset("index.html")


@router.get("/chat", include_in_schema=False)
async def chat() -> Response:
    """The page of conversations."""
    return _asset("chat.html")


@router.get("/recommend", include_in_schema=False)
async def recommend() -> Response:
    """The page of lists for people."""
    return _asset("recommend.html")


@router.get("/page/{name}", include_in_schema=False)
async def asset(name: str) -> Response:
    """Its files."""
    if name not in ASSETS:
        raise Rejected(404, f"page: there are {', '.join(ASSETS)}.")
    return _asset(name)


def _asset(name: str) -> Response:
    return Response(_content(name), media_type=ASSETS[name], headers=HEADERS)


@cache
def _content(name: str) -> bytes:
    return (files("fuseline.serving.page") / name).read_bytes()


FAILURES: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (401, 503)}


@router.get("/v1/samples", responses=FAILURES, tags=["model"])
async def samples(request: Request) -> list[Sample]:
    """A few rows that the model has not learnt from, to try it on."""
    served: Served = request.app.state.served
    return [Sample(label=one["label"], row=_row(one)) for one in served.engine.shown.samples]


def _row(sample: dict[str, Any]) -> Row:
    return Row(
        text=sample["texts"] or None,
        image=[_medium(one) for one in sample["images"]] or None,
        audio=_medium(sample["audio"]),
        video=_medium(sample["video"]),
        cells=sample["cells"] or None,
    )


def _medium(content: bytes | None) -> Medium | None:
    return Medium(base64=base64.b64encode(content).decode()) if content else None


@router.get(
    "/v1/thumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/webp": {}}},
        204: {"description": "The export has none of this row."},
        **FAILURES,
    },
    tags=["model"],
)
async def thumbnail(request: Request, id: str) -> Response:
    """The small picture of a training row or an item, by its id: `example_id` of a neighbour."""
    served: Served = request.app.state.served
    recommender = served.engine.recommender
    found = served.engine.shown.thumbnail(id) or (recommender and recommender.items.thumbnail(id))
    return Response(status_code=204) if found is None else Response(found, media_type="image/webp")
