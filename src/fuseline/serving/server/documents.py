"""The description of the routes, and its page, whose assets come from here and nowhere else."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response
from pydantic.json_schema import models_json_schema

import fuseline
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.schemas import (
    ChatRequest,
    InferRequest,
    IntentRequest,
    PredictForm,
    PredictRequest,
    RecommendRequest,
)

REFERENCE = "#/components/schemas/{model}"
BODIES = (
    PredictRequest,
    PredictForm,
    InferRequest,
    ChatRequest,
    IntentRequest,
    RecommendRequest,
)
ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
# Swagger UI styles its elements itself, and draws its pictures from the text of its style sheet.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fuseline: routes</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# No validator: it would send the description to another host.
START = (
    'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", validatorUrl: null,'
    " deepLinking: true});\n"
)
router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(PAGE, headers={"content-security-policy": POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """What the page begins with."""
    return Response(START, media_type="text/javascript")


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """Swagger UI's own files, of the package that carries them."""
    if name not in ASSETS:
        raise Rejected(404, f"docs: there are {', '.join(ASSETS)}.")
    content = (files("fastapi_offline") / "static" / name).read_bytes()
    headers = {"cache-control": "max-age=86400"}
    return Response(content, media_type=ASSETS[name], headers=headers)


def body_of(schemas: dict[str, str]) -> dict[str, Any]:
    """What a route says of its body, which it reads itself.

    Args:
        schemas: names of classes of `BODIES`, by media type.
    """
    content = {
        kind: {"schema": {"$ref": REFERENCE.format(model=name)}} for kind, name in schemas.items()
    }
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI, *, with_key: bool) -> dict[str, Any]:
    """The routes by OpenAPI."""
    if app.openapi_schema is None:
        found = get_openapi(
            title="Fuseline",
            version=fuseline.__version__,
            description="Answers of an exported model.",
            routes=app.routes,
        )
        _, known = models_json_schema(
            [(one, "validation") for one in BODIES], ref_template=REFERENCE
        )
        parts = found.setdefault("components", {})
        parts["schemas"] = {**parts.get("schemas", {}), **known["$defs"]}
        if with_key:
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            found["security"] = [{"key": []}]
        app.openapi_schema = found
    return app.openapi_schema
