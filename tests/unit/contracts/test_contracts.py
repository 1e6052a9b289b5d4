"""Tables are written whole, checked on both sides, and the same bytes each time."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.contracts import (
    MANIFEST,
    QUARANTINE,
    TOKENS,
    TableWriter,
    check_table,
    features_schema,
    hash_path,
    iter_shards,
    predictions_schema,
    read_manifest,
    read_table,
    shard_name,
    write_json,
)
from fuseline.errors import ContractError


def tokens(*names: str) -> pa.Table:
    rows = [
        {
            "example_id": name,
            "split": "train",
            "group": name,
            "lang": None,
            "input_ids": [2, 3],
            "has_text": True,
        }
        for name in names
    ]
    return pa.Table.from_pylist(rows, TOKENS)


def write(folder: Path) -> Path:
    writer = TableWriter(folder, TOKENS, "tokens")
    writer.write(shard_name(1), tokens("c"))
    writer.write(shard_name(0), tokens("a", "b"))
    writer.finish(encoder="scratch")
    return folder


def test_a_table_comes_back_in_the_order_of_its_shards(tmp_path: Path) -> None:
    folder = write(tmp_path / "tokens")
    table = read_table(folder, TOKENS, "tokens")
    assert table.column("example_id").to_pylist() == ["a", "b", "c"]
    assert table.schema.equals(TOKENS)
    assert [name for name, _ in iter_shards(folder, TOKENS, "tokens")] == [
        "00000.parquet",
        "00001.parquet",
    ]


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "tokens"), TOKENS, "tokens", ["split", "example_id"])
    assert table.schema.names == ["split", "example_id"]


def test_the_manifest_counts_rows_and_tells_how_they_were_made(tmp_path: Path) -> None:
    manifest = read_manifest(write(tmp_path / "tokens"), "tokens")
    assert (manifest["rows"], manifest["encoder"]) == (3, "scratch")
    assert manifest["shards"] == ["00000.parquet", "00001.parquet"]


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    assert hash_path(write(tmp_path / "one")) == hash_path(write(tmp_path / "two"))


def test_a_removed_shard_is_neither_listed_nor_kept(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path, TOKENS, "tokens")
    writer.write(shard_name(0), tokens("a"))
    writer.remove(shard_name(0))
    writer.finish()
    assert read_table(tmp_path, TOKENS, "tokens").num_rows == 0
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_table_without_a_manifest_is_unfinished(tmp_path: Path) -> None:
    folder = write(tmp_path / "tokens")
    (folder / MANIFEST).unlink()
    with pytest.raises(ContractError, match=r"manifest\.json: not found, so the table is unfini"):
        read_table(folder, TOKENS, "tokens")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "features"}, "expected kind and version .*'tokens', 3.*found .*'features', 3"),
        ({"schema_version": 0}, "expected kind and version .*found .*'tokens', 0"),
    ],
)
def test_a_table_of_another_kind_or_version_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    folder = write(tmp_path / "tokens")
    manifest = json.loads((folder / MANIFEST).read_text())
    write_json(folder / MANIFEST, manifest | changes)
    with pytest.raises(ContractError, match=message):
        read_table(folder, TOKENS, "tokens")


def test_a_torn_manifest_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "tokens")
    (folder / MANIFEST).write_text('{"kind": ')
    with pytest.raises(ContractError, match="not readable as JSON"):
        read_manifest(folder, "tokens")


def test_a_torn_or_missing_shard_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "tokens")
    shard = folder / shard_name(1)
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(ContractError, match=r"00001\.parquet: not readable as Parquet"):
        read_table(folder, TOKENS, "tokens")
    shard.unlink()
    with pytest.raises(ContractError, match=r"00001\.parquet: not readable as Parquet"):
        read_table(folder, TOKENS, "tokens")


def test_a_shard_of_other_columns_is_refused_when_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "tokens")
    shard = folder / shard_name(0)
    pq.write_table(tokens("a").set_column(4, "input_ids", pa.array([[1.5]])), shard)
    with pytest.raises(
        ContractError, match=r"column 'input_ids' expected list<.*found list<.*doub"
    ):
        read_table(folder, TOKENS, "tokens")


@pytest.mark.parametrize("schema", [TOKENS, QUARANTINE, features_schema(4, 2)])
def test_other_columns_are_refused(schema: pa.Schema) -> None:
    table = schema.empty_table().drop_columns(["example_id"])
    with pytest.raises(ContractError, match=r"it: expected columns .*example_id.*found"):
        check_table(table, schema, "it")


@pytest.mark.parametrize("column", ["example_id", "split", "group", "input_ids", "has_text"])
def test_a_null_is_refused_where_none_is_allowed(tmp_path: Path, column: str) -> None:
    position = TOKENS.get_field_index(column)
    nulls = pa.nulls(2, TOKENS.field(column).type)
    table = tokens("a", "b").set_column(position, column, nulls)
    with pytest.raises(ContractError, match=f"column '{column}' has 2 nulls; none are allowed"):
        TableWriter(tmp_path, TOKENS, "tokens").write(shard_name(0), table)
    assert list(tmp_path.iterdir()) == []


def test_features_tell_their_shape_and_absent_ones_are_null(tmp_path: Path) -> None:
    schema = features_schema(2, 3)
    assert json.loads(schema.field("features").metadata[b"shape"]) == [2, 3]
    row = {"example_id": "a", "split": "dev", "group": "a", "features": None}
    writer = TableWriter(tmp_path, schema, "features")
    writer.write(shard_name(0), pa.Table.from_pylist([row], schema))
    writer.finish()
    assert read_table(tmp_path, schema, "features").column("features").null_count == 1


def test_predictions_have_a_probability_per_label() -> None:
    assert predictions_schema(4).field("probabilities").type.list_size == 4


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "it.json"
    write_json(path, {"b": 1, "a": "ö"})
    assert path.read_text() == '{\n  "a": "ö",\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("inf")})
    assert json.loads(path.read_text())["b"] == 1
    assert [item.name for item in path.parent.iterdir()] == ["it.json"]


def test_a_folders_hash_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").write_text("x")
    before = hash_path(tmp_path / "one")
    (tmp_path / "one" / "a").rename(tmp_path / "one" / "b")
    renamed = hash_path(tmp_path / "one")
    (tmp_path / "one" / "b").write_text("y")
    assert len({before, renamed, hash_path(tmp_path / "one")}) == 3
