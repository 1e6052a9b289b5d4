"""The Open Inference Protocol (version 2, REST): the same answers, as tensors of one value a row.

https://github.com/kserve/open-inference-protocol. An absent value is an empty text, 0 or false,
lists and mappings are JSON, and a refused row refuses the request, for the protocol knows of no
rows.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

import fuseline
from fuseline.serving.server.asking import ask
from fuseline.serving.server.bodies import CELL_PREFIX
from fuseline.serving.server.documents import body_of
from fuseline.serving.server.engine import Answer, Engine
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.routes import FAILURES, is_ready_now
from fuseline.serving.server.schemas import InferResponse, OutputTensor

NAME = "fuseline"
# Given only where they are named.
LARGE = ("probabilities", "neighbours")
_ABSENT: dict[str, Any] = {"BYTES": "", "FP64": 0.0, "INT64": 0, "BOOL": False}
router = APIRouter(prefix="/v2", tags=["open inference protocol"])


@router.get("/health/live")
async def live() -> dict[str, bool]:
    """Whether the server runs."""
    return {"live": True}


@router.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """Whether it answers."""
    is_ready = is_ready_now(request)
    return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)


@router.get("")
async def server() -> dict[str, Any]:
    """The server."""
    return {"name": NAME, "version": fuseline.__version__, "extensions": []}


@router.get("/models/{name}/ready")
@router.get("/models/{name}/versions/{version}/ready", include_in_schema=False)
async def model_ready(request: Request, name: str, version: str | None = None) -> JSONResponse:
    """Whether the model answers."""
    _check(request, name, version)
    return await ready(request)


@router.get("/models/{name}")
@router.get("/models/{name}/versions/{version}", include_in_schema=False)
async def metadata(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """Inputs and outputs of the model."""
    engine = _check(request, name, version)
    media = [one for one in engine.contract.modalities if one != "tabular"]
    names = ["id", *media, *(f"{CELL_PREFIX}{one}" for one in engine.contract.cells)]
    inputs = [{"name": one, "datatype": "BYTES", "shape": [-1]} for one in names]
    outputs = [
        {"name": one, "datatype": kind, "shape": [-1]} for one, kind in _outputs(engine).items()
    ]
    return {
        "name": NAME,
        "versions": [_version(engine)],
        "platform": "onnxruntime",
        "inputs": inputs,
        "outputs": outputs,
    }


@router.post(
    "/models/{name}/infer",
    responses=FAILURES,
    openapi_extra=body_of({"application/json": "InferRequest"}),
)
@router.post("/models/{name}/versions/{version}/infer", include_in_schema=False)
async def infer(request: Request, name: str, version: str | None = None) -> InferResponse:
    """Answer rows given as tensors."""
    _check(request, name, version)
    engine, asked, answers = await ask(request, {"application/json": "tensors"})
    for answer in answers:
        if refused := answer.get("refused"):
            raise Rejected(422, f"row {answer['row']}: {refused['reason']}: {refused['detail']}")
    known = _outputs(engine)
    names = asked.outputs
    if names is None:
        names = tuple(one for one in known if one.rpartition(".")[2] not in LARGE)
    for one in names:
        if one not in known:
            raise Rejected(422, f"outputs: expected of {', '.join(known)}; found another.")
    return InferResponse(
        model_name=NAME,
        model_version=_version(engine),
        id=asked.id,
        outputs=[_tensor(one, known[one], answers) for one in names],
    )


def _check(request: Request, name: str, version: str | None) -> Engine:
    """The engine, if it is what was named."""
    engine: Engine = request.app.state.served.engine
    if name != NAME or version not in (None, _version(engine)):
        raise Rejected(
            404, f"models: there is {NAME}, version {_version(engine)}; found another named."
        )
    return engine


def _version(engine: Engine) -> str:
    return engine.contract.origin.weights[:12]


def _outputs(engine: Engine) -> dict[str, str]:
    """Data types of an answer's columns, but for those that say which row it is."""
    return {
        field.name: _datatype(field.type)
        for field in engine.columns
        if field.name not in ("row", "id")
    }


def _datatype(kind: pa.DataType) -> str:
    if pa.types.is_floating(kind):
        return "FP64"
    if pa.types.is_integer(kind):
        return "INT64"
    return "BOOL" if pa.types.is_boolean(kind) else "BYTES"


def _tensor(name: str, datatype: str, answers: list[Answer]) -> OutputTensor:
    data = [_value(answer[name], datatype) for answer in answers]
    return OutputTensor(name=name, shape=[len(data)], datatype=datatype, data=data)


def _value(value: Any, datatype: str) -> Any:
    if value is None:
        return _ABSENT[datatype]
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
