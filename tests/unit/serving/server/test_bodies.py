"""Whatever is sent, the answer says what to mend, and the server is none the worse."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = {"content-type": "application/json"}
BOUNDARY = "multipart/form-data; boundary=x"


def sent(server, content, kind="application/json", path="/v1/predict"):
    return server.ask("POST", path, content=content, headers={"content-type": kind})


def check(response, status=None):
    assert response.status_code in ((status,) if status else range(200, 500)), response.text
    if response.status_code == 200 or "answers" in response.json():
        return
    error = response.json()["error"]
    assert error[0].isprintable() and error.endswith((".", "?")), error


BAD = [
    (400, "", "not JSON"),
    (400, "{", "not JSON"),
    (400, '{"rows": [{"text": "\\ud800"}]}', "not JSON"),
    (400, "[" * 100_000, "not JSON"),
    (400, b"\xff\xfe{}", "not JSON"),
    (422, "[]", "body: "),
    (422, "null", "body: "),
    (422, "{}", "rows: "),
    (422, '{"rows": []}', "rows: "),
    (422, '{"rows": {}}', "rows: "),
    (422, '{"rows": [1]}', "rows.0: "),
    (422, '{"rows": [{"txt": "a"}]}', "rows.0.txt: "),
    (422, '{"rows": [{"text": 1}]}', "rows.0.text"),
    (422, '{"rows": [{"image": "a"}]}', "rows.0.image"),
    (422, '{"rows": [{"image": {"base64": "%%%"}}]}', "rows.0.image: not base64"),
    (422, '{"rows": [{"audio": {"base64": "aaaa"}}]}', "rows.0.audio: the model takes"),
    (422, '{"rows": [{"cells": {"a": 1}}]}', "rows.0.cells: the model takes"),
    (422, '{"rows": [{"text": "a"}], "probabilities": "perhaps"}', "probabilities: "),
    (422, '{"rows": [{"text": "a"}], "other": 1}', "other: "),
    (413, json.dumps({"rows": [{}] * 257}), "rows: expected at most 256"),
]


@pytest.mark.parametrize(("status", "content", "said"), BAD)
def test_a_bad_json_body_is_told_where_it_is_bad(server, status, content, said):
    response = sent(server, content)
    check(response, status)
    assert said in response.json()["error"]


PART = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'


def form(*parts):
    return "".join(f"--x\r\n{PART.format(*part)}" for part in parts) + "--x--\r\n"


def test_a_file_that_was_not_chosen_is_none(server):
    """As browsers send it: a part without a name and without content."""
    content = form(("text", "ant"), ('image"; filename="', ""))
    response = sent(server, content, BOUNDARY)
    assert response.status_code == 200, response.text
    assert response.json()["answers"][0]["image_label"] is None
    check(sent(server, form(('image"; filename="a.png', "")), BOUNDARY), 422)


@pytest.mark.parametrize(
    ("status", "content", "kind", "said"),
    [
        (400, "", "multipart/form-data", "boundary"),
        (400, "no form", BOUNDARY, "body: "),
        (422, form(("image", "text")), BOUNDARY, "expected a file"),
        (422, form(("txt", "ant")), BOUNDARY, "Did you mean 'text'?"),
        (422, form(("cell", "ant")), BOUNDARY, "COLUMN=VALUE"),
        (422, form(("text", "ant"), ("probabilities", "perhaps")), BOUNDARY, "true or false"),
        (400, form(*[("text", "a")] * 1025), BOUNDARY, "Too many fields"),
        (415, "text=ant", "application/x-www-form-urlencoded", "Content-Type"),
        (415, "ant", "", "Content-Type"),
    ],
)
def test_a_bad_form_is_told_where_it_is_bad(server, status, content, kind, said):
    response = sent(server, content, kind)
    check(response, status)
    assert said in response.json()["error"]


def test_a_packed_body_is_not_unpacked(server):
    headers = JSON | {"content-encoding": "gzip"}
    check(server.ask("POST", "/v1/predict", content=b"x", headers=headers), 415)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
media = st.fixed_dictionaries(
    {"base64": st.binary(max_size=60).map(lambda b: base64.b64encode(b).decode()) | scalars}
)
rows = st.dictionaries(
    st.sampled_from(["id", "text", "image", "audio", "video", "cells", "other"]),
    scalars | media | st.lists(media | scalars, max_size=3) | st.dictionaries(st.text(), scalars),
)
bodies = st.dictionaries(
    st.sampled_from(["rows", "inputs", "probabilities", "outputs"]),
    st.lists(rows, max_size=3) | scalars,
)
many = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@many
@given(bodies)
def test_no_json_is_too_much(server, body):
    check(sent(server, json.dumps(body)))


@many
@given(st.binary(max_size=200), st.sampled_from(["application/json", BOUNDARY]))
def test_no_bytes_are_too_much(server, content, kind):
    check(sent(server, content, kind))


@many
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["text", "image", "id", "cells.a", "other"]),
                "shape": st.lists(st.integers(-1, 3), max_size=3),
                "datatype": st.sampled_from(["BYTES", "FP32", "other"]),
                "data": st.lists(scalars | st.lists(scalars, max_size=2), max_size=3),
            }
        ),
        max_size=3,
    )
)
def test_no_tensors_are_too_much(server, tensors):
    path = "/v2/models/fuseline/infer"
    check(sent(server, json.dumps({"inputs": tensors}), path=path))


def test_after_all_that_it_answers(server):
    assert server.predict({"text": "ant"}).status_code == 200
    assert "fuseline_decoders_replaced_total 0.0" in server.ask("GET", "/metrics").text
