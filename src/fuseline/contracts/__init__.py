"""Arrow schemas of the tables that stages exchange, and how such tables are written and read.

A table is a folder of Parquet shards with a `manifest.json`, written last: a folder without it
is unfinished. Derived tables (tokens, features) keep the shard names of `examples`, so that
rows appended to a source add shards and leave the old ones byte-identical.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.contracts.durable import write_text
from fuseline.errors import ContractError

SPLITS = ("train", "dev", "test")
SCHEMA_VERSION = 3
MANIFEST = "manifest.json"

# The convention of Hugging Face `datasets` for media columns.
MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

# Parts the texts of a row that has several, Unicode's own sign for it: no single text of the table
# holds one, and to whatever reads the column it is white space.
TEXT_JOINT = "\u2029"


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


EXAMPLES = pa.schema(
    [
        _required("example_id", pa.string()),
        _required("source_row", pa.int64()),
        _required("split", pa.string()),
        _required("group", pa.string()),
        # Several texts are joined by `TEXT_JOINT`.
        pa.field("text", pa.string()),
        pa.field("label", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("image", MEDIA),
        pa.field("audio", MEDIA),
        pa.field("video", MEDIA),
        # Cells by column name, spelt as in the source; null where the row has no column at all.
        pa.field("tabular", pa.map_(pa.string(), pa.string())),
        # What tasks beside the label learn, by column name; spelt by `ingest.targets`.
        pa.field("targets", pa.map_(pa.string(), pa.string())),
        pa.field("license", pa.string()),
        pa.field("provenance", pa.string()),
        # What was changed, such as `text:nfc`, and what was found and left, such as
        # `text:harmful`.
        _required("sanitised", pa.list_(pa.string())),
        _required("findings", pa.list_(pa.string())),
    ]
)

# Of rows that may have several pictures: those behind the first, and the place of each of all of
# them, such as 0 for the front and 1 for the back.
_MORE_IMAGES = (
    pa.field("more_images", pa.list_(MEDIA)),
    pa.field("image_places", pa.list_(pa.int32())),
)


def examples_schema(max_images: int) -> pa.Schema:
    """Schema of examples that have at most so many pictures a row."""
    return EXAMPLES if max_images == 1 else pa.schema([*EXAMPLES, *_MORE_IMAGES])


QUARANTINE = pa.schema(
    [
        _required("source_row", pa.int64()),
        pa.field("example_id", pa.string()),
        _required("reason", pa.string()),
        _required("detail", pa.string()),
        _required("raw", pa.string()),
    ]
)

# What people did with examples, in the order of the source. The manifest's `dev_from` and
# `test_from` are the times that cut them: rows added later would else move old ones.
INTERACTIONS = pa.schema(
    [
        _required("source_row", pa.int64()),
        _required("user", pa.string()),
        # The example's id.
        _required("item", pa.string()),
        # Seconds since 1970, UTC.
        _required("time", pa.int64()),
        pa.field("value", pa.float32()),
        pa.field("kind", pa.string()),
    ]
)

# Test rows and their nearest training rows, the closest of each modality first.
LEAKAGE = pa.schema(
    [
        _required("modality", pa.string()),
        _required("test_id", pa.string()),
        _required("train_id", pa.string()),
        _required("similarity", pa.float32()),
        pa.field("test_label", pa.string()),
        pa.field("train_label", pa.string()),
    ]
)

TOKENS = pa.schema(
    [
        _required("example_id", pa.string()),
        _required("split", pa.string()),
        _required("group", pa.string()),
        pa.field("lang", pa.string()),
        # Special tokens included; an example without text has none but those.
        _required("input_ids", pa.list_(pa.int32())),
        _required("has_text", pa.bool_()),
    ]
)


def features_schema(positions: int, dim: int) -> pa.Schema:
    """Schema of one modality's features: `positions * dim` float16 values, null where absent; of
    several pictures a row, NaN for those that are absent beside others."""
    values = pa.list_(pa.float16(), positions * dim)
    return pa.schema(
        [
            _required("example_id", pa.string()),
            _required("split", pa.string()),
            _required("group", pa.string()),
            pa.field("features", values, metadata={"shape": json.dumps([positions, dim])}),
        ]
    )


def predictions_schema(width: int) -> pa.Schema:
    """Schema of predictions.

    Args:
        width: of the probabilities, the manifest's `width`: those of a classification in the order
            of its `labels`, one number of a regression, none where a task gives none.
    """
    numbers = pa.list_(pa.float32(), width) if width else pa.list_(pa.float32())
    return pa.schema(
        [
            _required("example_id", pa.string()),
            _required("label", pa.string()),
            _required("prediction", pa.string()),
            _required("probabilities", numbers),
        ]
    )


def image_places(examples: Path) -> int:
    """How many pictures a row of an examples table may have; the table has columns for more than
    one where it is more than one."""
    places: int = read_manifest(examples, "examples").get("max_images", 1)
    return places


def shard_name(index: int) -> str:
    """File name of shard `index`."""
    return f"{index:05d}.parquet"


@dataclass
class TableWriter:
    """Writes one table into a new folder: shards first, the manifest last.

    Args:
        folder: where the shards go.
        schema: the table's contract, enforced on every shard.
        kind: the table's name in its manifest.
    """

    folder: Path
    schema: pa.Schema
    kind: str
    _shard_rows: dict[str, int] = field(default_factory=dict, init=False)

    def write(self, name: str, table: pa.Table) -> None:
        """Write one shard; a name that was written before is replaced.

        Raises:
            ContractError: columns or types differ from the schema, or a null stands where the
                contract allows none.
        """
        check_table(table, self.schema, f"{self.kind}/{name}")
        self.folder.mkdir(parents=True, exist_ok=True)
        # No dictionary or statistics: media, tokens and features gain nothing from them, and
        # reading fixed-size lists is three times faster without.
        pq.write_table(
            table.cast(self.schema),
            self.folder / name,
            compression="zstd",
            use_dictionary=False,
            write_statistics=False,
        )
        self._shard_rows[name] = table.num_rows

    def adopt(self, name: str, content: bytes, rows: int) -> None:
        """Write one shard as the bytes that `write` once gave for the same table."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)
        self._shard_rows[name] = rows

    def remove(self, name: str) -> None:
        """Take back a shard that was written."""
        del self._shard_rows[name]
        (self.folder / name).unlink()

    def finish(self, **facts: Any) -> None:
        """Write the manifest; `facts` are what readers need to know of how the table was made."""
        manifest = {
            "kind": self.kind,
            "schema_version": SCHEMA_VERSION,
            "rows": sum(self._shard_rows.values()),
            "shards": sorted(self._shard_rows),
            **facts,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / MANIFEST, manifest)


def check_table(table: pa.Table, schema: pa.Schema, where: str) -> None:
    """Check names, types and nulls of a table against its contract.

    Arrow accepts nulls in a field declared non-nullable, so nulls are counted here.

    Raises:
        ContractError: naming the shard, the column, what was expected and what was found.
    """
    if table.schema.names != schema.names:
        raise ContractError(
            f"{where}: expected columns {schema.names}, found {table.schema.names}."
            " Run `dvc repro` to make the table again."
        )
    for name in schema.names:
        expected, found = schema.field(name).type, table.schema.field(name).type
        if expected != found:
            raise ContractError(
                f"{where}: column '{name}' expected {expected}, found {found}."
                " Run `dvc repro` to make the table again."
            )
        nulls = table.column(name).null_count
        if nulls and not schema.field(name).nullable:
            raise ContractError(f"{where}: column '{name}' has {nulls} nulls; none are allowed.")


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """Read a table's manifest.

    Raises:
        ContractError: it is missing (the table is unfinished), or of another kind or version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ContractError(
            f"{path}: not found, so the table is unfinished. Run `dvc repro` to make it."
        ) from None
    except ValueError as error:
        raise ContractError(f"{path}: not readable as JSON: {error}") from None
    found = (manifest.get("kind"), manifest.get("schema_version"))
    if found != (kind, SCHEMA_VERSION):
        raise ContractError(
            f"{path}: expected kind and version {(kind, SCHEMA_VERSION)}, found {found}."
            " Run `dvc repro` to make the table again."
        )
    return manifest  # type: ignore[no-any-return]


def iter_shards(
    folder: Path, schema: pa.Schema, kind: str, columns: list[str] | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """Yield `(shard name, table)` in order, each checked against the contract."""
    for name in read_manifest(folder, kind)["shards"]:
        yield name, read_shard(folder, name, schema, columns)


def read_shard(
    folder: Path, name: str, schema: pa.Schema, columns: list[str] | None = None
) -> pa.Table:
    """Read one shard, checked against the contract."""
    names = columns or schema.names
    wanted = pa.schema([schema.field(name) for name in names])
    path = folder / name
    try:
        table = pq.read_table(path, columns=names)
    except (OSError, pa.ArrowException) as error:
        raise ContractError(f"{path}: not readable as Parquet: {error}") from None
    check_table(table, wanted, str(path))
    return table


def read_table(
    folder: Path, schema: pa.Schema, kind: str, columns: list[str] | None = None
) -> pa.Table:
    """Read a whole table; `columns` keeps memory to what is needed."""
    wanted = pa.schema([schema.field(name) for name in columns or schema.names])
    tables = [table for _, table in iter_shards(folder, schema, kind, columns)]
    return pa.concat_tables(tables) if tables else wanted.empty_table()


def write_json(path: Path, content: Any) -> None:
    """Write small JSON with sorted keys, whole or not at all.

    Raises:
        ValueError: a number is not finite.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_path(path: Path) -> str:
    """SHA-256 over a file, or over the sorted relative names and contents of a folder."""
    if path.is_file():
        return hash_file(path)
    digest = hashlib.sha256()
    for file in sorted(item for item in path.rglob("*") if item.is_file()):
        digest.update(file.relative_to(path).as_posix().encode())
        digest.update(hash_file(file).encode())
    return digest.hexdigest()
