"""The server's own routes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from fuseline.serving.server.asking import ask
from fuseline.serving.server.bodies import Kind
from fuseline.serving.server.documents import body_of
from fuseline.serving.server.engine import Served
from fuseline.serving.server.fields import fields_of
from fuseline.serving.server.metrics import Metrics
from fuseline.serving.server.schemas import (
    Failure,
    ModelFacts,
    OriginFacts,
    PredictResponse,
    TaskFacts,
)

FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": what}
    for status, what in {
        400: "The body is not what its Content-Type says.",
        401: "The key is missing or wrong.",
        408: "The body came too slowly.",
        413: "The body is too large, or has too many rows.",
        415: "The body is of another kind.",
        422: "A value is wrong, or the one row is refused (then as 200).",
        429: "The server is busy; Retry-After says when to ask again.",
        503: "The model is being loaded, or the server is ending.",
    }.items()
}
router = APIRouter()


@router.post(
    "/v1/predict",
    response_model=PredictResponse,
    responses=FAILURES,
    openapi_extra=body_of(
        {"application/json": "PredictRequest", "multipart/form-data": "PredictForm"}
    ),
    tags=["predict"],
)
async def predict(request: Request) -> Response:
    """Answer rows: several as JSON with media in base64, or one as a form with files."""
    kinds: dict[str, Kind] = {"application/json": "json", "multipart/form-data": "form"}
    engine, _, answers = await ask(request, kinds)
    alone = len(answers) == 1 and "refused" in answers[0]
    content = {"answers": answers, "origin": engine.contract.origin.model_dump()}
    return JSONResponse(content, 422 if alone else 200)


@router.get("/v1/model", responses={401: FAILURES[401], 503: FAILURES[503]}, tags=["model"])
async def model(request: Request) -> ModelFacts:
    """The model that answers: what it takes, what it says, what it was made of, its card."""
    served: Served = request.app.state.served
    engine, contract = served.engine, served.engine.contract
    return ModelFacts(
        name=contract.origin.model,
        format="int8" if served.settings.int8 else "onnx",
        modalities=contract.modalities,
        cells=contract.cells,
        fields=fields_of(contract),
        tasks=[
            TaskFacts(name=one.name, kind=one.kind, labels=one.facts.get("labels", []))
            for one in contract.tasks
        ],
        columns=[*(field.name for field in engine.columns), "sanitised"],
        certainty=contract.certainty,
        origin=OriginFacts(**contract.origin.model_dump()),
        max_rows=engine.limits.rows,
        max_body_bytes=engine.limits.body_bytes,
        limits=contract.ingest.limits.model_dump(),
        card=engine.card,
        converses=engine.dialogue is not None,
        recommends=engine.recommender is not None,
    )


@router.get("/health/live", tags=["health"])
async def live() -> dict[str, str]:
    """Whether the server runs."""
    return {"status": "live"}


@router.get("/health/ready", responses={503: FAILURES[503]}, tags=["health"])
async def ready(request: Request) -> JSONResponse:
    """Whether it answers: the model is loaded, and the server is not ending."""
    is_ready = is_ready_now(request)
    content = {"status": "ready"} if is_ready else {"error": "The server is not ready."}
    return JSONResponse(content, 200 if is_ready else 503)


def is_ready_now(request: Request) -> bool:
    """Whether requests are answered."""
    return request.app.state.served.is_ready and not request.app.state.gate.closing


@router.get("/metrics", response_class=PlainTextResponse, tags=["health"])
async def metrics(request: Request) -> Response:
    """Counts and times, as Prometheus reads them."""
    counts: Metrics = request.app.state.metrics
    return Response(counts.page(), media_type="text/plain; version=0.0.4; charset=utf-8")
