"""The frame that every modality's extraction shares: shard by shard, what is known is not redone.

Two kinds of entry are kept in the feature cache. A whole shard of the table is found by the hash
of the examples shard that it was made from, and copied without a look at any medium; this is what
makes rows appended to a large table cheap. Where a shard is not found, each medium is looked up
by the hash of its bytes, and only the rest runs through the encoder.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from fuseline.contracts import (
    EXAMPLES,
    TableWriter,
    examples_schema,
    features_schema,
    hash_file,
    read_manifest,
    read_shard,
)
from fuseline.data.modalities.extraction.feature_cache import FeatureCache
from fuseline.data.modalities.extraction.stored_media import (
    Medium,
    by_place,
    placed_pictures,
    row_media,
)
from fuseline.data.modalities.extraction.surroundings import code_hash
from fuseline.errors import ContractError

T = TypeVar("T")

ID_COLUMNS = ["example_id", "split", "group"]
# What a table holds where no row has the modality, whatever the params say.
ABSENT_SHAPE = (1, 1)


class Encoder(Protocol):
    """A frozen encoder, loaded."""

    @property
    def shape(self) -> tuple[int, int]:
        """`(positions, dim)` of one medium's features."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the table's manifest says of the encoder beside the shape; JSON."""

    def encode(self, media: Sequence[Medium]) -> Iterator[np.ndarray | None]:
        """Features (P, D) float16 of each medium in turn; None where it holds nothing to encode.

        Those of one medium must not depend on its neighbours, to the last bit.

        Raises:
            ContractError: a medium cannot be decoded.
        """


@dataclass(frozen=True)
class Extractor:
    """How one modality's media become features.

    Attributes:
        modality: its name.
        module: whose code, with all that it imports, computes the features.
        columns: of `examples`; a row's first that is not null is taken, of pictures all by place.
        identity: all that determines the features of a medium, params and weights; JSON.
        load: builds the encoder; called only where something must be computed.
        places: pictures that a row may have, whose features stand one behind the other.
    """

    modality: str
    module: str
    columns: tuple[str, ...]
    identity: Mapping[str, Any]
    load: Callable[[], Encoder]
    places: int = 1


@dataclass
class Runtime:
    """What a stage lends to an extraction.

    Attributes:
        cache: of features.
        surroundings: what of machine and libraries can change a feature (`surroundings`).
        prepare: called once before an encoder is loaded.
    """

    cache: FeatureCache = field(default_factory=lambda: FeatureCache(None, 0))
    surroundings: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None


@dataclass
class Counts:
    """Rows of a table or a shard, those without features, the sum of the vectors' norms, and how
    many positions are absent from rows that have others."""

    rows: int = 0
    missing: int = 0
    norm: float = 0.0
    absent: int = 0

    def add(self, other: Counts) -> None:
        """Count another shard in."""
        self.rows += other.rows
        self.missing += other.missing
        self.norm += other.norm
        self.absent += other.absent

    def figures(self, positions: int, dim: int) -> dict[str, Any]:
        """The stage's metrics."""
        present = (self.rows - self.missing) * positions - self.absent
        return {
            "rows": self.rows,
            "missing": self.missing,
            "positions": positions,
            "dim": dim,
            "mean_norm": self.norm / max(1, present),
        }


def extract(
    examples: Path, features: Path, extractor: Extractor, runtime: Runtime
) -> dict[str, Any]:
    """Write one modality's features table, whose shards bear the names of those of `examples`.

    Args:
        examples: the examples table.
        features: folder of the new table.
        extractor: the modality.
        runtime: cache and surroundings; no output depends on what the cache holds.

    Returns:
        Counts of rows and missing media, shape, mean norm.

    Raises:
        ContractError: a medium that cannot be decoded, with its row.
    """
    # Of several pictures the first stands in the first column.
    columns = extractor.columns if extractor.places == 1 else extractor.columns[:1]
    if not any_present(examples, columns):
        return write_absent(examples, features, extractor.modality)
    work = _Extraction(examples, features, extractor, runtime)
    counts = work.run()
    runtime.cache.close()
    if counts.missing == counts.rows:
        return write_absent(examples, features, extractor.modality)
    return counts.figures(*work.shape)


class _Extraction:
    """One run over a table in which some row has the modality."""

    def __init__(
        self, examples: Path, features: Path, extractor: Extractor, runtime: Runtime
    ) -> None:
        self.examples, self.extractor, self.runtime = examples, extractor, runtime
        self.encoder: Encoder | None = None
        identity = {
            "features": extractor.identity,
            "code": code_hash(extractor.module),
            "surroundings": runtime.surroundings,
        }
        self.fingerprint = json.dumps(identity, sort_keys=True).encode()
        self.facts = self._facts()
        self.writer = TableWriter(features, features_schema(*self.shape), "features")
        self.tally: Counter[str] = Counter()

    @property
    def shape(self) -> tuple[int, int]:
        positions, dim = self.facts["shape"]
        return self.extractor.places * positions, dim

    def run(self) -> Counts:
        """Write every shard and the manifest."""
        counts = Counts()
        manifest = read_manifest(self.examples, "examples")
        what = f"extract {self.extractor.modality} features"
        total = manifest["rows"] * self.extractor.places
        with tqdm(total=total, desc=what, unit="medium") as progress:
            for name in manifest["shards"]:
                counts.add(self._shard(name, progress))
        several = {"places": self.extractor.places} if self.extractor.places > 1 else {}
        facts = self.facts | {"shape": list(self.shape)} | several
        self.writer.finish(modality=self.extractor.modality, **facts)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(self.tally.items()))
        tqdm.write(f"{what}: {told}")
        return counts

    def _facts(self) -> dict[str, Any]:
        key = self._key("facts")
        stored = self.runtime.cache.get([key]).get(key)
        if stored is not None:
            facts: dict[str, Any] = json.loads(stored)
            return facts
        encoder = self._loaded()
        facts = {"shape": list(encoder.shape), **encoder.facts}
        self.runtime.cache.put({key: json.dumps(facts).encode()})
        return facts

    def _loaded(self) -> Encoder:
        if self.encoder is None:
            self.runtime.prepare()
            self.encoder = self.extractor.load()
        return self.encoder

    def _key(self, kind: str, digest: bytes = b"") -> bytes:
        return hashlib.sha256(b"\0".join([kind.encode(), digest, self.fingerprint])).digest()

    def _shard(self, name: str, progress: Any) -> Counts:
        key = self._key(f"shard {self.extractor.places}", hash_file(self.examples / name).encode())
        stored = self.runtime.cache.get([key]).get(key)
        if stored is not None:
            head, _, content = stored.partition(b"\n")
            counts = Counts(**json.loads(head))
            self.writer.adopt(name, content, counts.rows)
            self.tally["rows of known shards"] += counts.rows
            progress.update(counts.rows * self.extractor.places)
            return counts
        columns = [*ID_COLUMNS, *self.extractor.columns]
        table = read_shard(self.examples, name, examples_schema(self.extractor.places), columns)
        vectors, fresh = self._vectors(table, progress)
        column, counts = features_column(vectors, self._shape_of_one(), self.extractor.places)
        self.writer.write(name, table.select(ID_COLUMNS).append_column("features", column))
        content = (self.writer.folder / name).read_bytes()
        fresh[key] = json.dumps(vars(counts)).encode() + b"\n" + content
        self.runtime.cache.put(fresh)
        return counts

    def _vectors(
        self, table: pa.Table, progress: Any
    ) -> tuple[list[np.ndarray | None], dict[bytes, bytes]]:
        """Features by row and place, and the cache entries of those that were computed."""
        places = self.extractor.places
        media = (
            row_media(table, self.extractor.columns)
            if places == 1
            else placed_pictures(table, places)
        )
        keys = [
            None if medium is None else self._key("medium", medium.digest()) for medium in media
        ]
        known = self.runtime.cache.get([key for key in keys if key])
        waiting = {
            key: row for row, key in reversed(list(enumerate(keys))) if key and key not in known
        }
        progress.update(sum(key not in waiting for key in keys))
        repeats = Counter(key for key in keys if key in waiting)
        fresh: dict[bytes, bytes] = {}
        rows = sorted(waiting.values())
        if rows:
            encoded = self._loaded().encode([medium for row in rows if (medium := media[row])])
            for row, vector in zip(rows, encoded, strict=True):
                key = keys[row]
                assert key is not None  # a row that waits has a medium
                fresh[key] = self._content(vector)
                progress.update(repeats[key])
        self.tally["known media"] += len(known)
        self.tally["computed media"] += len(fresh)
        found = {key: self._vector(content) for key, content in (known | fresh).items()}
        return [found[key] if key else None for key in keys], fresh

    def _vector(self, content: bytes) -> np.ndarray | None:
        return np.frombuffer(content, "<f2").reshape(self._shape_of_one()) if content else None

    def _shape_of_one(self) -> tuple[int, int]:
        """Of one medium's features."""
        positions, dim = self.facts["shape"]
        return positions, dim

    def _content(self, vector: np.ndarray | None) -> bytes:
        if vector is None:
            return b""
        if not np.isfinite(vector).all():
            raise ContractError(
                f"extract_features.{self.extractor.modality}.encoder: it gave numbers that float16"
                " cannot hold. Choose another encoder, or of an image encoder other top_layers."
            )
        return vector.astype("<f2").tobytes()


def any_present(examples: Path, columns: Sequence[str]) -> bool:
    """Whether any row has one of the columns; reads no medium."""
    for name in read_manifest(examples, "examples")["shards"]:
        for column in columns:
            # The smallest leaf of a struct tells where the whole struct is null.
            leaf = f"{column}.path" if pa.types.is_struct(EXAMPLES.field(column).type) else column
            try:
                with pq.ParquetFile(examples / name) as file:
                    found = file.read(columns=[leaf]).column(column)
            except (OSError, KeyError, pa.ArrowException) as error:
                raise ContractError(
                    f"{examples / name}: not readable as Parquet: {error}"
                ) from None
            if found.null_count < len(found):
                return True
    return False


def write_absent(examples: Path, features: Path, modality: str) -> dict[str, Any]:
    """Write the table of a modality that no row has: the same whatever the params say."""
    writer = TableWriter(features, features_schema(*ABSENT_SHAPE), "features")
    counts = Counts()
    for name in read_manifest(examples, "examples")["shards"]:
        table = read_shard(examples, name, EXAMPLES, ID_COLUMNS)
        column, shard_counts = features_column([None] * table.num_rows, ABSENT_SHAPE)
        writer.write(name, table.append_column("features", column))
        counts.add(shard_counts)
    writer.finish(modality=modality, shape=list(ABSENT_SHAPE), encoder="", revision="", config=None)
    return counts.figures(*ABSENT_SHAPE)


def features_column(
    vectors: Sequence[np.ndarray | None], shape: tuple[int, int], places: int = 1
) -> tuple[pa.Array, Counts]:
    """A column of fixed-size lists, null where all vectors of a row are None, and its counts.

    Args:
        vectors: (P, D) by row and place.
        shape: of one.
        places: of a row.
    """
    values = np.zeros((len(vectors), *shape), dtype=np.float16)
    for row, vector in enumerate(vectors):
        if vector is not None:
            values[row] = vector
    present = np.array([vector is not None for vector in vectors], dtype=bool)
    rows = np.logical_or.reduce(present.reshape(-1, places), axis=1)
    return list_column(by_place(values, present, places), rows)


def list_column(values: np.ndarray, present: np.ndarray) -> tuple[pa.Array, Counts]:
    """The same of values (N, P, D) float16, those of absent rows whatever they are."""
    values[~present] = 0
    norms = np.linalg.norm(values[present].astype(np.float32), axis=-1)
    absent = int(np.isnan(norms).sum())
    column = pa.FixedSizeListArray.from_arrays(
        pa.array(values.reshape(-1)), values.shape[1] * values.shape[2], mask=pa.array(~present)
    )
    norm = float(np.nansum(norms, dtype=np.float64))
    counts = Counts(len(values), int((~present).sum()), norm, absent)
    return column, counts
