"""Lists of items over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fuseline.serving.recommending.recommender import load_recommender
from tests.support.recommenders import write_recommender


@pytest.fixture(scope="module")
def recommending(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recommending") / "export"
    shutil.copytree(export, folder)
    return write_recommender(folder)


@pytest.fixture(scope="module")
def lists(run, recommending):
    with run(model=recommending) as running:
        yield running


def post(running, **body):
    return running.ask("POST", "/v1/recommend", json=body)


def test_a_known_user(lists, recommending):
    own = load_recommender(recommending)
    found = post(lists, user="ann", count=3, where=["year>=2000"], diversity=0.2).json()
    assert found["basis"] == "history"
    assert [one["id"] for one in found["history"]] == ["i5", "i4", "i3", "i2", "i1", "i0"]
    assert found["num_events"] == 6
    assert len(found["items"]) == 3
    assert post(lists, user="ann").json()["items"] == [
        one.as_object() for one in own.recommend(own.users.find("ann"), count=10)
    ]


def test_a_history(lists):
    found = post(lists, history=["i3", {"item": "i4", "time": "2023-01-01"}, "gone"]).json()
    assert found["unknown"] == ["gone"]
    assert [one["id"] for one in found["history"]] == ["i3", "i4"]
    assert post(lists, history=[]).json()["basis"] == "popularity"


def test_who_is_unknown(lists):
    answer = post(lists, user="someone")
    assert answer.status_code == 404
    # An address of a person, say, does not come back, nor into a log.
    assert answer.json()["error"].startswith("user: nothing is known of this one. Send `history`")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "expected one of `user` and `history`"),
        ({"user": "ann", "history": []}, "expected one of `user` and `history`"),
        ({"user": "ann", "count": 101}, "count: "),
        ({"user": "ann", "diversity": 2}, "diversity: "),
        ({"user": "a" * 2000}, "user: "),
        ({"history": ["i1"] * 1001}, "history"),
        ({"history": ["gone"]}, "history: none of the 1 ids"),
        ({"history": [{"item": "i1", "time": "soon"}]}, "history.0: time: expected ISO 8601"),
        ({"user": "ann", "where": ["genr=Drama"]}, "Did you mean 'genre'"),
        ({"user": "ann", "where": ["genre"]}, "where: expected COLUMN=VALUE"),
        ({"user": "ann", "who": 1}, "who: "),
    ],
)
def test_what_is_wrong(lists, body, told):
    answer = post(lists, **body)
    assert answer.status_code == 422
    assert told in answer.json()["error"]


def test_a_body_that_is_too_large(lists):
    answer = post(lists, history=["i1"], where=["a" * 2**20])
    assert answer.status_code == 413


def test_items_are_found_and_have_pictures(lists):
    found = lists.ask("GET", "/v1/items?query=film%203").json()
    assert {"id": "i3", "text": "Film 3"} in found
    assert len(lists.ask("GET", "/v1/items?query=film").json()) == 20
    assert lists.ask("GET", "/v1/items?query=").status_code == 422
    assert lists.ask("GET", "/v1/items?query=" + "a" * 201).status_code == 422
    assert lists.ask("GET", "/v1/thumbnail?id=i3").headers["content-type"] == "image/webp"
    assert lists.ask("GET", "/v1/thumbnail?id=i2").status_code == 204


def test_it_is_told_and_counted(lists, server):
    assert lists.ask("GET", "/v1/model").json()["recommends"] is True
    assert server.ask("GET", "/v1/model").json()["recommends"] is False
    post(lists, user="cy")
    assert 'fuseline_recommendations_total{basis="history"}' in lists.ask("GET", "/metrics").text


def test_an_export_without_a_recommender(server):
    answer = post(server, user="ann")
    assert answer.status_code == 404
    assert "recommends nothing" in answer.json()["error"]
    assert server.ask("GET", "/v1/items?query=film").status_code == 404


def test_a_person_is_never_logged(lists, capfd, caplog):
    for body in ({"user": "ann"}, {"user": "secret-person"}, {"history": ["i1"]}):
        post(lists, **body)
    told = "".join(capfd.readouterr()) + caplog.text
    assert "secret-person" not in told
    assert '"ann"' not in told


def test_a_new_recommender_is_taken_up(run, recommending, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(recommending, folder)
    with run(model=folder, reload_seconds=0.2) as running:
        before = post(running, user="ann").json()["items"]
        write_recommender(folder, seed=1)
        running.wait(lambda: post(running, user="ann").json()["items"] != before)


def test_a_damaged_recommender_is_not_served(run, recommending, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(recommending, folder)
    (folder / "recommender/user.onnx").write_text("")
    with run(model=folder) as running:
        assert running.failures == 1
