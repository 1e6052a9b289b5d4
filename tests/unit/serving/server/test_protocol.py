"""The Open Inference Protocol's routes."""

from __future__ import annotations

import base64
import json

import pytest

from tests.support.untrained_export import LABELS, picture

INFER = "/v2/models/fuseline/infer"


def tensor(name, *values):
    return {"name": name, "shape": [len(values)], "datatype": "BYTES", "data": list(values)}


def infer(server, *inputs, path=INFER, **more):
    return server.ask("POST", path, json={"inputs": list(inputs), **more})


def test_tensors_get_the_answers_that_rows_get(server):
    content = base64.b64encode(picture()).decode()
    response = infer(server, tensor("text", "ant", "bee"), tensor("image", content, None), id="7")
    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["id"], found["model_name"]) == ("7", "fuseline")
    outputs = {one["name"]: one for one in found["outputs"]}
    rows = server.predict({"text": "ant", "image": {"base64": content}}, {"text": "bee"})
    answers = rows.json()["answers"]
    assert outputs["label"]["data"] == [one["label"] for one in answers]
    assert outputs["probability"]["data"] == pytest.approx(
        [one["probability"] for one in answers], abs=2e-6
    )
    assert outputs["image_label"]["data"][1] == ""
    assert outputs["image_probability"]["data"][1] == 0.0
    assert json.loads(outputs["set"]["data"][0]) == answers[0]["set"]
    assert "neighbours" not in outputs
    assert {one["datatype"] for one in outputs.values()} == {"BYTES", "FP64", "BOOL"}


def test_outputs_may_be_named(server):
    wanted = [{"name": "probabilities"}, {"name": "label"}]
    found = infer(server, tensor("text", "ant"), outputs=wanted).json()["outputs"]
    assert [one["name"] for one in found] == ["probabilities", "label"]
    assert set(json.loads(found[0]["data"][0])) == set(LABELS)


def test_the_metadata_names_what_goes_in_and_comes_out(server):
    found = server.ask("GET", "/v2/models/fuseline").json()
    assert [one["name"] for one in found["inputs"]] == ["id", "text", "image"]
    assert {"label", "probability"} <= {one["name"] for one in found["outputs"]}
    (version,) = found["versions"]
    assert server.ask("GET", f"/v2/models/fuseline/versions/{version}").json() == found
    path = f"/v2/models/fuseline/versions/{version}/infer"
    assert infer(server, tensor("text", "ant"), path=path).status_code == 200
    assert server.ask("GET", "/v2").json()["name"] == "fuseline"
    assert server.ask("GET", "/v2/models/fuseline/ready").json() == {"ready": True}


@pytest.mark.parametrize(
    ("status", "inputs", "said"),
    [
        (422, [tensor("text", "ant", " ")], "row 1: empty_text: "),
        (422, [tensor("txt", "ant")], "Did you mean 'text'?"),
        (422, [tensor("text", 1)], "text: expected texts"),
        (422, [tensor("text", "ant"), tensor("id", "a", "b")], "expected 1 values"),
        (422, [tensor("text", "ant"), tensor("text", "ant")], "each name once"),
        (422, [tensor("text")], "one row or more"),
        (422, [tensor("image", "%")], "not base64"),
        (413, [{**tensor("text"), "shape": [10**9]}], "at most 256"),
    ],
)
def test_wrong_tensors_are_told(server, status, inputs, said):
    response = infer(server, *inputs)
    assert response.status_code == status
    assert said in response.json()["error"]


@pytest.mark.parametrize("path", ["/v2/models/other/infer", "/v2/models/fuseline/versions/9/infer"])
def test_another_model_is_not_there(server, path):
    response = infer(server, tensor("text", "ant"), path=path)
    assert response.status_code == 404
    assert "there is fuseline" in response.json()["error"]


def test_an_output_that_is_none_is_told(server):
    response = infer(server, tensor("text", "ant"), outputs=[{"name": "other"}])
    assert response.status_code == 422
