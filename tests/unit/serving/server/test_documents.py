"""The description of the routes is whole, and its page needs no other host."""

from __future__ import annotations

import re

import pytest

from fuseline.serving.server.documents import PAGE, START


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_every_reference_of_the_description_leads_somewhere(server):
    found = server.ask("GET", "/openapi.json").json()
    names = {name.rpartition("/")[2] for name in references(found)}
    assert {"PredictRequest", "PredictForm", "PredictResponse", "InferRequest"} <= names
    assert names <= set(found["components"]["schemas"])
    body = found["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    assert "security" not in found


def test_the_page_loads_nothing_from_elsewhere(server):
    response = server.ask("GET", "/docs")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "//" not in PAGE + START
    names = re.findall(r'(?:href|src)="([^"]+)"', PAGE)
    assert len(names) == 3
    for name in names:
        found = server.ask("GET", f"/{name}")
        assert found.status_code == 200
        assert found.headers["content-type"].startswith(("text/css", "text/javascript"))


@pytest.mark.parametrize("name", ["core.py", "..%2fcore.py", "redoc.standalone.js"])
def test_other_files_are_not_given(server, name):
    assert server.ask("GET", f"/docs/{name}").status_code == 404
