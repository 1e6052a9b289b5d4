"""What `/v1/predict` and its neighbours answer."""

from __future__ import annotations

import base64

import pytest

from fuseline.data.sources import Media, RawRow
from fuseline.serving.predictor import Options, Predictor
from fuseline.serving.writers import as_objects
from tests.support.untrained_export import LABELS, picture

PICTURE = {"base64": base64.b64encode(picture()).decode()}


def offline(export, row, **options):
    predictor = Predictor(export, Options(**options))
    raw = {"source_row": 0, "raw": {}, "is_named": "example_id" in row}
    cleaned = predictor.clean(RawRow(**raw, **row))
    (answer,) = as_objects(predictor.answer([cleaned]))
    return answer | {"sanitised": cleaned.record["sanitised"]}


def close(found, expected):
    """Numbers may differ in their last digit: rows are answered beside others."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        wanted = pytest.approx(value, abs=2e-6) if isinstance(value, float | dict) else value
        assert found[name] == wanted, name


@pytest.mark.parametrize("wanted", [(), ("probabilities",), ("neighbours",)])
def test_a_row_gets_the_answer_of_the_predictor(server, export, wanted):
    options = dict.fromkeys(wanted, True)
    given = {"id": "a", "text": "ant bee", "image": PICTURE}
    response = server.predict(given, **options)
    assert response.status_code == 200, response.text
    row = {"example_id": "a", "text": "ant bee", "image": Media(picture(), None)}
    (found,) = response.json()["answers"]
    expected = offline(export, row, **options)
    if "neighbours" in expected:
        pairs = zip(found.pop("neighbours"), expected.pop("neighbours"), strict=True)
        for one, other in pairs:
            close(one, other)
    close(found, expected)


def test_a_form_gets_the_answer_that_json_gets(server):
    files = [("image", ("a.png", picture(), "image/png"))]
    data = {"text": "ant bee", "probabilities": "true", "id": "a"}
    form = server.ask("POST", "/v1/predict", data=data, files=files)
    assert form.status_code == 200, form.text
    rows = [{"id": "a", "text": "ant bee", "image": PICTURE | {"name": "a.png"}}]
    json = server.ask("POST", "/v1/predict", json={"rows": rows, "probabilities": True})
    (one,), (other,) = form.json()["answers"], json.json()["answers"]
    close(one, other)


def test_rows_come_back_in_order_with_the_refused_in_their_places(server):
    broken = {"base64": base64.b64encode(b"no picture").decode()}
    rows = [{"text": "ant", "id": "x"}, {"image": broken}, {"text": " "}, {"text": "mail a@b.org"}]
    response = server.predict(*rows)
    assert response.status_code == 200
    answers = response.json()["answers"]
    assert [one["row"] for one in answers] == [0, 1, 2, 3]
    assert [one.get("label") in LABELS for one in answers] == [True, False, False, True]
    assert answers[0]["id"] == "x"
    assert answers[2]["refused"]["reason"] == "empty_text"
    assert answers[1]["refused"]["reason"] and answers[1]["refused"]["detail"]
    assert answers[3]["sanitised"] == ["text:email"]
    assert response.json()["origin"]["weights"] == f"{0:064x}"


def test_one_row_that_is_refused_has_a_status_that_says_so(server):
    response = server.predict({"text": ""})
    assert response.status_code == 422
    assert response.json()["answers"][0]["refused"]["reason"] == "empty_text"


def test_more_rows_than_a_batch_holds(run):
    with run(max_batch_rows=2) as server:
        response = server.predict(*({"text": f"ant {number}"} for number in range(7)))
        assert [one["row"] for one in response.json()["answers"]] == [*range(7)]
        assert "fuseline_batch_rows_count 4.0" in server.ask("GET", "/metrics").text


def test_the_same_id_may_be_asked_again(server):
    for _ in range(2):
        assert server.predict({"text": "ant", "id": "twice"}).status_code == 200


def test_the_model_is_told(server):
    found = server.ask("GET", "/v1/model").json()
    assert found["modalities"] == ["text", "image"]
    assert found["tasks"] == [{"name": "label", "kind": "classification", "labels": LABELS}]
    assert found["card"] == "# A small model\n"
    assert found["origin"]["model"] == "finetuned"
    assert {"label", "probabilities", "sanitised"} <= set(found["columns"])


def test_rows_and_requests_are_counted(server):
    server.predict({"text": "ant"})
    page = server.ask("GET", "/metrics").text
    assert 'fuseline_requests_total{route="/v1/predict",status="200"}' in page
    assert 'fuseline_rows_total{outcome="answered"}' in page
    for name in ("batch_rows", "queue_rows", "request_seconds", "requests_in_flight"):
        assert f"fuseline_{name}" in page
