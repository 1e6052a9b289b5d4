import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.errors import ConfigError
from fuseline.serving.writers import WRITERS, writer_of

SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("label", pa.string()),
        pa.field("sure", pa.bool_()),
        pa.field("set", pa.list_(pa.string())),
        pa.field("probabilities", pa.map_(pa.string(), pa.float64())),
    ]
)
ROWS = [
    {
        "row": 0,
        "label": 'a, "b"\nc',
        "sure": True,
        "set": ["a"],
        "probabilities": [("a", 0.5), ("é", 0.25)],
    },
    {"row": 1, "label": None, "sure": None, "set": [], "probabilities": None},
]


@pytest.fixture(params=[".csv", ".jsonl", ".parquet"])
def written(request, tmp_path):
    path = tmp_path / f"out{request.param}"
    table = pa.Table.from_pylist(ROWS, schema=SCHEMA)
    with writer_of(path)(path, SCHEMA) as writer:
        for row in range(2):
            writer.write(table.slice(row, 1))
    return path


def test_every_format_holds_the_same(written):
    if written.suffix == ".parquet":
        assert pq.read_table(written).to_pylist() == ROWS
    elif written.suffix == ".jsonl":
        first, second = map(json.loads, written.read_text().splitlines())
        assert first["probabilities"] == {"a": 0.5, "é": 0.25}
        assert second == {**ROWS[1]}
    else:
        with written.open(newline="") as file:
            first, second = csv.DictReader(file)
        assert first["label"] == ROWS[0]["label"]
        assert first["sure"] == "true"
        assert json.loads(first["probabilities"]) == {"a": 0.5, "é": 0.25}
        assert second["label"] == second["sure"] == ""


def test_another_ending_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"expected a name ending in \.csv, \.jsonl, \.parquet"):
        writer_of(tmp_path / "out.xlsx")


def test_vectors_are_as_short_as_float32_allows(tmp_path):
    schema = pa.schema([pa.field("id", pa.string()), pa.field("v", pa.list_(pa.float32()))])
    table = pa.table([["a", "b"], [[0.1, -0.123457], None]], schema=schema)
    for name, make in WRITERS.items():
        with make(tmp_path / f"vectors{name}", schema) as writer:
            writer.write(table)
    lines = (tmp_path / "vectors.jsonl").read_text().splitlines()
    assert lines == ['{"id": "a", "v": [0.1, -0.123457]}', '{"id": "b", "v": null}']
    assert pq.read_table(tmp_path / "vectors.parquet").equals(table)


def test_a_folder_is_no_place_for_a_file(tmp_path):
    folder = tmp_path / "answers.csv"
    folder.mkdir()
    with pytest.raises(ConfigError, match="expected the name of a file, found a folder"):
        writer_of(folder)
