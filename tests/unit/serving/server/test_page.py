"""The page's files, the rows to try and the small pictures, as the server gives them."""

from __future__ import annotations

import base64
import re
from importlib.resources import files

import pytest

from fuseline.serving.server.page import ASSETS
from fuseline.serving.server.settings import KEY_VARIABLE, read_keys
from tests.support.untrained_export import SAMPLE, THUMBNAILS_OF_BANK


def test_every_file_of_the_page_is_given_with_a_strict_policy(server):
    there = {file.name for file in files("fuseline.serving.page").iterdir()}
    assert there - {"__init__.py", "__pycache__"} == set(ASSETS)
    for path in ("/", *(f"/page/{name}" for name in ASSETS)):
        response = server.ask("GET", path)
        assert response.status_code == 200
        name = "index.html" if path == "/" else path.removeprefix("/page/")
        assert response.headers["content-type"].startswith(ASSETS[name])
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cross-origin-opener-policy"] == "same-origin"


def test_its_files_name_no_other_host_and_no_style_or_script_within():
    for name in ASSETS:
        text = (files("fuseline.serving.page") / name).read_text()
        addresses = re.findall(r"\w+://[^\"\s]+", text)
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, name
        if name.endswith(".html"):
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", text)


@pytest.mark.parametrize("name", ["__init__.py", "..%2fpredictor.py", "none.js"])
def test_other_files_are_not_given(server, name):
    assert server.ask("GET", f"/page/{name}").status_code == 404


def test_the_page_needs_no_key_and_tells_nothing_of_the_model(run):
    with run(keys=read_keys(None, {KEY_VARIABLE: "secret"})) as server:
        for path in ("/", "/page/main.js"):
            assert server.ask("GET", path).status_code == 200
        for path in ("/v1/samples", "/v1/thumbnail?id=row0", "/v1/model", "/page"):
            assert server.ask("GET", path).status_code == 401


def test_samples_can_be_asked_as_they_are(server):
    one, other = server.ask("GET", "/v1/samples").json()
    assert one["label"] == "bee"
    assert base64.b64decode(one["row"]["image"][0]["base64"]) == SAMPLE["images"][0]
    assert other["row"] == {"id": None, "text": ["ant bee"]} | dict.fromkeys(
        ("image", "audio", "video", "cells")
    )
    assert server.predict(one["row"], other["row"]).status_code == 200


def test_small_pictures_of_neighbours_are_given(server):
    (answer,) = server.predict({"text": "ant"}, neighbours=True).json()["answers"]
    ids = [one["example_id"] for one in answer["neighbours"]]
    assert set(ids) <= {f"row{number}" for number in range(6)}
    response = server.ask("GET", "/v1/thumbnail", params={"id": "row0"})
    assert response.headers["content-type"] == "image/webp"
    assert response.content == THUMBNAILS_OF_BANK[0]["picture"]
    for none in ("row5", "no such row"):
        response = server.ask("GET", "/v1/thumbnail", params={"id": none})
        assert (response.status_code, response.content) == (204, b"")
