"""The nearest rows of an index, whatever the queries and the rows have."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.errors import ConfigError
from fuseline.serving import search
from fuseline.serving.contract import ExportContract, ExportedTask, Origin
from fuseline.serving.predictor import WEIGHTS
from fuseline.serving.search import Index, Space

VECTORS = pa.list_(pa.float32())
COLUMNS = {"text": "pair.text_vector", "image": "pair.image_vector"}


def contract(*kinds: str, weights: str = "abc") -> ExportContract:
    facts = {"modalities": ["text", "image"]}
    tasks = [
        ExportedTask(name=name, kind=kind, facts=facts, output=name, by_modality={})
        for name, kind in zip(("label", "pair"), kinds, strict=False)
    ]
    origin = Origin(model="finetuned", weights=weights, examples="", params="")
    return ExportContract.model_construct(tasks=tasks, origin=origin)


RETRIEVES = contract("classification", "retrieval")


def table(columns: dict[str, list], weights: str = "abc") -> pa.Table:
    """Answers to rows by column of their vectors."""
    count = len(next(iter(columns.values())))
    names = {name: pa.array(values, VECTORS) for name, values in columns.items()}
    ids = pa.array([f"row-{row}" for row in range(count)])
    made = pa.table({"row": pa.array(range(count), pa.int64()), "id": ids} | names)
    return made.replace_schema_metadata({WEIGHTS: weights})


def pairs(text: list, image: list) -> dict[str, list]:
    return dict(zip(COLUMNS.values(), (text, image), strict=True))


def indexed(folder, columns: dict[str, list], asked=RETRIEVES, by=()) -> Index:
    pq.write_table(table(columns), folder / "index.parquet", row_group_size=3)
    return Index(folder / "index.parquet", asked, Space.of(asked, by))


def found(index: Index, columns: dict[str, list], count: int = 2) -> list[list[tuple]]:
    """Of each query the ids and scores, nearest first."""
    rows = index.search(table(columns), count).to_pylist()
    queries = len(next(iter(columns.values())))
    assert [row["query_id"] for row in rows] == [f"row-{row['query']}" for row in rows]
    mine = [[row for row in rows if row["query"] == query] for query in range(queries)]
    for one in mine:
        assert [row["rank"] for row in one] == list(range(1, 1 + len(one)))
    return [[(row["id"], row["score"]) for row in one] for one in mine]


UP, RIGHT, DOWN = [0.0, 2.0], [3.0, 0.0], [0.0, -1.0]


def test_a_text_finds_pictures_and_a_picture_texts(tmp_path):
    index = indexed(tmp_path, pairs([UP, RIGHT, DOWN], [RIGHT, UP, UP]))
    both = found(index, pairs([UP, None], [None, UP]))
    assert both == [[("row-1", 1.0), ("row-2", 1.0)], [("row-0", 1.0), ("row-1", 0.0)]]


def test_a_query_of_both_is_compared_with_all_that_a_row_has(tmp_path):
    index = indexed(tmp_path, pairs([UP, RIGHT, None], [UP, DOWN, RIGHT]))
    # The mean of a text and a picture at right angles lies half way between.
    half = np.cos(np.pi / 4)
    (one,) = found(index, pairs([UP], [RIGHT]), 3)
    assert one == [
        ("row-0", pytest.approx(half, abs=1e-6)),
        ("row-2", pytest.approx(half, abs=1e-6)),
        ("row-1", pytest.approx(0.0, abs=1e-6)),
    ]


def test_what_is_compared_can_be_asked_for(tmp_path):
    index = indexed(tmp_path, pairs([UP, RIGHT], [RIGHT, UP]), by=["text"])
    assert found(index, pairs([UP], [None]), 1) == [[("row-0", 1.0)]]


def test_rows_and_queries_without_what_is_compared_are_left_out(tmp_path):
    index = indexed(tmp_path, pairs([UP, UP], [None, UP]))
    assert found(index, pairs([UP, None], [None, None]), 5) == [[("row-1", 1.0)], []]
    assert found(index, pairs([None], [None])) == [[]]


def test_a_model_without_retrieval_compares_fused_vectors(tmp_path):
    index = indexed(tmp_path, {"vector": [UP, RIGHT]}, contract("classification"))
    assert found(index, {"vector": [[1.0, 1.1]]}, 1) == [[("row-0", pytest.approx(0.739940))]]


def test_blocks_change_nothing(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    texts, images = random.normal(size=(2, 50, 8)).astype(np.float32)
    lacks = random.random(50) < 0.2
    images = [None if none else row for row, none in zip(images, lacks, strict=True)]
    index = indexed(tmp_path, pairs(list(texts), images))
    asked = pairs(list(random.normal(size=(4, 8))), [None] * 4)
    whole = found(index, asked, 9)
    monkeypatch.setattr(search, "BLOCK_ROWS", 7)
    assert found(index, asked, 9) == whole
    query = np.array(asked["pair.text_vector"][0])
    there = [row for row in range(50) if not lacks[row]]
    cosine = {
        row: images[row] @ query / np.linalg.norm(images[row]) / np.linalg.norm(query)
        for row in there
    }
    best = sorted(there, key=lambda row: -cosine[row])[:9]
    assert [name for name, _ in whole[0]] == [f"row-{row}" for row in best]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("none", r"none\.parquet: not found\. Make it with `fuseline predict ROWS --vectors -o "),
        ("text", r"index\.csv: not readable as Parquet .* -o \S*index\.parquet`"),
        ("columns", r"expected a column 'pair\.text_vector', found row, id, vector\. Make it"),
        ("weights", r"expected vectors of the model that is asked, found those of another"),
    ],
)
def test_what_is_no_index_is_refused(tmp_path, change, message):
    (tmp_path / "index.csv").write_text("row,id\n")
    made = {"columns": table({"vector": [UP]}), "weights": table(pairs([UP], [UP]), "other")}
    path = tmp_path / {"none": "none.parquet", "text": "index.csv"}.get(change, "index.parquet")
    if change in made:
        pq.write_table(made[change], path)
    with pytest.raises(ConfigError, match=message):
        Index(path, RETRIEVES, Space.of(RETRIEVES, ()))


def test_modalities_of_a_model_that_compares_none_are_refused():
    with pytest.raises(ConfigError, match=r"^--by: expected one of text, image; found 'img'"):
        Space.of(RETRIEVES, ["img"])
    with pytest.raises(ConfigError, match=r"expected one of vector; found 'text'.* retrieval\.$"):
        Space.of(contract("classification"), ["text"])
