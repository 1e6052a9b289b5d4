"""Lists, their filters and their reasons, against closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.recommending.catalogue import History
from fuseline.serving.recommending.files import FACTS_FILE, FOLDER, ITEMS_FILE, VECTORS_FILE
from fuseline.serving.recommending.filters import Condition
from fuseline.serving.recommending.lists import LISTS, write_lists
from fuseline.serving.recommending.ranking import best, diverse
from fuseline.serving.recommending.recommender import Recommender, load_recommender
from tests.support.recommenders import AS_OF, DAY, USERS, write_recommender

NOBODY = History.of([], [])


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recommender(tmp_path_factory.mktemp("recommend"))


@pytest.fixture(scope="module")
def recommender(export: Path) -> Recommender:
    return load_recommender(export)


@pytest.fixture(scope="module")
def tensors(export: Path) -> dict[str, np.ndarray]:
    return load_file(export / FOLDER / VECTORS_FILE)


def numbers(found: list) -> list[int]:
    return [int(one.id[1:]) for one in found]


def conditions(*written: str) -> list[Condition]:
    return [Condition.of(one, "where") for one in written]


def test_scores_are_of_the_last_events_by_their_ages(recommender, tensors):
    history = recommender.users.find("ann")
    vectors = tensors["vectors"]
    # The model reads four events: of items 5, 4, 3, 2, which are 4, 5, 6, 7 days old.
    weights = 2.0 ** (-np.array([4, 5, 6, 7]) / 7)
    scores = vectors @ (weights @ vectors[[5, 4, 3, 2]] + 0.1) + tensors["bias"]
    # And each speaks for three others besides.
    for row in (5, 4, 3, 2):
        pairs = zip(tensors["neighbours"][row], tensors["neighbour_weights"][row], strict=True)
        for item, weight in pairs:
            scores[item] += weight
    found = recommender.recommend(history, count=40, seen=True)
    assert numbers(found) == np.argsort(-scores).tolist()
    np.testing.assert_allclose([one.score for one in found], np.sort(scores)[::-1], rtol=1e-4)
    assert [one.rank for one in found] == list(range(1, 41))


def test_what_the_person_used_is_left_out_unless_asked_for(recommender):
    history = recommender.users.find("ann")
    # Also what lies before the events that the model reads.
    assert set(numbers(recommender.recommend(history, count=40))) == set(range(40)) - {*range(6)}


def test_reasons_add_up_to_the_score(recommender, tensors):
    history = recommender.users.find("bob")
    user = recommender.people([history]).vectors[0]
    for one in recommender.recommend(history, count=40, seen=True):
        why = one.why
        spoke = sum(part.adds for part in why.history) + why.others.adds
        total = spoke + why.constant.adds + why.popularity.adds
        assert total == pytest.approx(one.score, abs=1e-4)
        row = int(one.id[1:])
        assert why.modalities["text"].adds == pytest.approx(
            float(user @ tensors["alone.text"][row]), abs=1e-4
        )
        # Two events of item 7 are one reason.
        assert len({part.id for part in why.history}) == len(why.history) <= 2
        assert [part.adds for part in why.history] == sorted(
            (part.adds for part in why.history), reverse=True
        )


def test_nobody_gets_what_is_popular(recommender, tensors):
    scores = tensors["vectors"].sum(1) * 0.1 + tensors["bias"]
    found = recommender.recommend(NOBODY, count=40)
    assert numbers(found) == np.argsort(-scores).tolist()
    assert found[0].why.history == []
    assert found[0].why.others.adds == 0


def test_events_after_the_export_count_as_the_newest(recommender):
    late = History.of([3, 8], [AS_OF + 100 * DAY, AS_OF + 93 * DAY])
    now = History.of([3, 8], [AS_OF, AS_OF - 7 * DAY])
    assert recommender.recommend(late, count=5) == recommender.recommend(now, count=5)


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        (["genre=drama"], lambda row: row % 3 < 2),
        (["genre=Comedy"], lambda row: row % 3 > 0),
        (["genre=Comedy|Drama"], lambda row: row % 3 == 1),
        (["year>=2010", "year <= 2012"], lambda row: 20 <= row <= 22),
        (["genre=Nothing"], lambda row: row < 0),
    ],
)
def test_filters(recommender, where, fits):
    found = recommender.recommend(NOBODY, count=40, where=conditions(*where))
    assert set(numbers(found)) == {row for row in range(40) if fits(row)}


@pytest.mark.parametrize("written", ["genre", "=Drama", "year>=", "year>=new", "year>2010"])
def test_what_is_no_condition(written):
    with pytest.raises(ConfigError, match=r"--where: expected .*'"):
        Condition.of(written, "--where")


def test_an_unknown_column(recommender):
    with pytest.raises(
        ConfigError, match=r"no column 'genr': the items have genre, year\. Did you"
    ):
        recommender.recommend(NOBODY, count=1, where=conditions("genr=Drama"))


def test_equal_scores_are_ranked_by_row():
    assert best(np.array([1.0, 2, 1, 2, 1, -np.inf]), 4).tolist() == [1, 3, 0, 2]
    assert best(np.array([-np.inf, 1.0]), 5).tolist() == [1]
    assert best(np.zeros(0), 3).tolist() == []


def test_a_diverse_list_takes_the_next_best_that_is_unlike_the_first():
    vectors = np.array([[1, 0], [1, 0.01], [0, 1]], dtype=np.float32)
    scores = np.array([1.0, 0.9, 0.5])
    assert diverse(scores, vectors, 3, 0.0).tolist() == [0, 1, 2]
    assert diverse(scores, vectors, 2, 0.5).tolist() == [0, 2]


def test_a_diverse_list_is_less_alike(recommender, tensors):
    history = recommender.users.find("ann")
    vectors = tensors["vectors"] / np.linalg.norm(tensors["vectors"], axis=1, keepdims=True)

    def likeness(diversity: float) -> float:
        rows = numbers(recommender.recommend(history, count=8, diversity=diversity))
        return float((vectors[rows] @ vectors[rows].T).mean())

    assert likeness(0.8) < likeness(0.3) < likeness(0)


@pytest.mark.parametrize("diversity", [0.0, 0.4])
def test_lists_of_all_users_are_those_of_each(recommender, tmp_path, diversity):
    path = tmp_path / "lists.parquet"
    how = {"count": 5, "where": conditions("year>=2000"), "diversity": diversity}
    assert write_lists(recommender, path, **how) == len(USERS)
    table = pq.read_table(path)
    assert table.schema.equals(LISTS)
    for user in USERS:
        found = recommender.recommend(recommender.users.find(user), **how)
        rows = [row for row in table.to_pylist() if row["user"] == user]
        assert [row["item"] for row in rows] == [one.id for one in found]
        assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
        assert [row["score"] for row in rows] == pytest.approx([one.score for one in found])


def test_lists_are_written_whole_or_not_at_all(recommender, tmp_path, monkeypatch):
    path = tmp_path / "lists.parquet"
    path.write_text("before")
    monkeypatch.setattr(recommender, "listed", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_lists(recommender, path, count=5)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["before"]
    with pytest.raises(ConfigError, match=r"--output: expected a \.parquet file"):
        write_lists(recommender, tmp_path / "lists.csv", count=5)


def test_titles_are_found_whatever_their_case(recommender):
    # i20 has no text; of the others by their events, then their rows.
    rows = recommender.items.matching("fILM 2", 20)
    assert rows == [24, 29, 23, 28, 2, 22, 27, 21, 26, 25]
    assert recommender.items.matching("i20", 20) == [20]
    assert recommender.items.matching("film", 3) == [4, 9, 14]


def test_an_export_that_recommends_nothing(tmp_path):
    with pytest.raises(ConfigError, match="this export's first task is not recommendation"):
        load_recommender(tmp_path)
    with pytest.raises(ConfigError, match=r"nowhere: no such folder\. Export the model again"):
        load_recommender(tmp_path / "nowhere")


def _facts(folder: Path, **changes) -> None:
    path = folder / FACTS_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _tensor(folder: Path, name: str, values: np.ndarray) -> None:
    path = folder / VECTORS_FILE
    save_file(load_file(path) | {name: values}, path)


DAMAGES = {
    "version: expected 1, found 2": lambda folder: _facts(folder, version=2),
    "Extra inputs": lambda folder: _facts(folder, more=1),
    "vectors: expected float32 of": lambda folder: _facts(folder, width=9),
    "items.safetensors: not readable": lambda folder: _facts(folder, modalities=["audio"]),
    "bias: expected finite": lambda folder: _tensor(
        folder, "bias", np.full(40, np.nan, np.float32)
    ),
    "items.parquet: not readable": lambda folder: (folder / ITEMS_FILE).write_text(""),
    "histories.parquet: not readable": lambda folder: (folder / "histories.parquet").unlink(),
    "user.onnx: not readable": lambda folder: (folder / "user.onnx").write_text(""),
    "recommender.json: not readable": lambda folder: (folder / FACTS_FILE).write_text("{"),
}


@pytest.mark.parametrize("told", DAMAGES)
def test_a_damaged_folder(tmp_path, told):
    DAMAGES[told](write_recommender(tmp_path) / FOLDER)
    with pytest.raises(ContractError, match=f"{told}.*(?s:.)dvc repro export"):
        load_recommender(tmp_path)


def test_items_of_another_export(tmp_path):
    (write_recommender(tmp_path, 41) / FOLDER / ITEMS_FILE).replace(tmp_path / "others")
    (tmp_path / "others").replace(write_recommender(tmp_path, 40) / FOLDER / ITEMS_FILE)
    with pytest.raises(ContractError, match="expected 40 items, found 41"):
        load_recommender(tmp_path)
