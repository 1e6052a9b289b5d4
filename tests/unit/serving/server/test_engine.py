"""A new export takes the old one's place, or does not; and a shadow answers beside it."""

from __future__ import annotations

import json
import logging
import shutil
import weakref

import pytest

from fuseline.serving.server.logs import JsonLine
from fuseline.serving.server.shadow import differences
from tests.support.untrained_export import LABELS, changed

NEW = [name.upper() for name in LABELS]


def put(source, folder):
    """Put an export in another's place, as `dvc checkout` does: file by file."""
    for path in source.iterdir():
        (folder / path.name).unlink()
        shutil.copy(path, folder / path.name)


def counted(server, line):
    return line in server.ask("GET", "/metrics").text


@pytest.fixture
def served(export, tmp_path):
    """A folder of its own with the export."""
    return shutil.copytree(export, tmp_path / "served")


def test_a_new_export_is_taken_up_and_no_request_lost(run, served, export, tmp_path):
    new = changed(export, tmp_path / "new", NEW, "new")
    with run(model=served, reload_seconds=0.1) as server:
        old = server.state.served.engine
        put(new, served)
        statuses, weights = set(), set()

        def taken():
            response = server.predict({"text": "ant"})
            statuses.add(response.status_code)
            weights.add(response.json()["origin"]["weights"])
            label = response.json()["answers"][0]["label"]
            assert (label in NEW) == ("new" in response.json()["origin"]["weights"])
            return "new" in weights

        server.wait(taken)
        assert statuses == {200}
        assert weights == {f"{0:064x}", "new"}
        assert counted(server, 'fuseline_reloads_total{outcome="taken"} 1.0')
        server.wait(lambda: old.decoders._closed)


def test_of_an_export_that_was_replaced_nothing_is_kept(run, served, export, tmp_path):
    new = changed(export, tmp_path / "new", NEW, "new")
    with run(model=served, reload_seconds=0.1) as server:
        old = weakref.ref(server.state.served.engine.predictor)
        put(new, served)
        server.wait(lambda: counted(server, 'fuseline_reloads_total{outcome="taken"} 1.0'))
        server.wait(lambda: old() is None)


@pytest.mark.parametrize("damage", ["graph", "contract", "labels"])
def test_one_that_fails_its_own_test_is_refused(run, served, damage, caplog):
    with run(model=served, reload_seconds=0.1) as server:
        path = served / ("model.onnx" if damage == "graph" else "contract.json")
        content = path.read_text() if damage == "labels" else "nothing"
        path.write_text(content.replace('"ant",', "").replace('"bee",', ""))
        server.wait(lambda: counted(server, 'fuseline_reloads_total{outcome="refused"} 1.0'))
        assert server.predict({"text": "ant"}).status_code == 200
        lines = [json.loads(JsonLine().format(record)) for record in caplog.records]
        (refused,) = [line for line in lines if line["event"] == "export_refused"]
        assert str(served) in refused["reason"]


def test_one_that_goes_away_is_missed_by_nobody(run, served):
    with run(model=served, reload_seconds=0.05) as server:
        shutil.rmtree(served)
        for _ in range(5):
            assert server.predict({"text": "ant"}).status_code == 200


def shadow_lines(run, export, other, caplog, outcome):
    caplog.set_level(logging.INFO, "fuseline.serve")
    with run(shadow=other) as server:
        response = server.predict({"text": "ant confidential"}, {"text": " "})
        assert [*response.json()["answers"][0]][2] == "label"
        server.wait(lambda: counted(server, f'shadow_rows_total{{outcome="{outcome}"}} 1.0'))
    lines = [json.loads(JsonLine().format(record)) for record in caplog.records]
    assert "confidential" not in json.dumps(lines)
    return [line for line in lines if line["event"] == "shadow_differs"]


def test_a_shadow_that_answers_otherwise_is_logged(run, export, tmp_path, caplog):
    other = changed(export, tmp_path / "other", NEW, "new")
    (line,) = shadow_lines(run, export, other, caplog, "different")
    assert line["row"] == 0
    given, shadowed = line["differs"]["label"]
    assert given.upper() == shadowed


def test_one_that_answers_alike_is_not(run, export, caplog):
    assert shadow_lines(run, export, export, caplog, "same") == []


@pytest.mark.parametrize(
    ("answer", "other", "expected"),
    [
        ({"label": "a", "probability": 0.5}, {"label": "a", "probability": 0.505}, {}),
        ({"probability": 0.5}, {"probability": 0.52}, {"probability": [0.5, 0.52]}),
        ({"more.label": "a"}, {"more.label": "b"}, {"more.label": ["a", "b"]}),
        ({"label": "a"}, {"refused": "empty_text"}, {"refused": [None, "empty_text"]}),
        ({"text_label": "a"}, {"text_label": "b"}, {}),
        ({"value": 1.0}, {}, {"value": [1.0, None]}),
    ],
)
def test_what_counts_as_otherwise(answer, other, expected):
    assert differences(answer, other) == expected
