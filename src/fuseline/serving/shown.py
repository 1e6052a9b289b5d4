"""What an export shows of the data beside its answers: small pictures of training rows, and a few
rows to try it on. Either may be absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fuseline.errors import ContractError

THUMBNAILS_FILE, SAMPLES_FILE = "thumbnails.parquet", "samples.parquet"
# Pictures in it are WebP, upright and on white.
THUMBNAILS = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("picture", pa.binary(), nullable=False),
    ]
)
SAMPLES = pa.schema(
    [
        pa.field("label", pa.string()),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
        # By their places.
        pa.field("images", pa.list_(pa.binary()), nullable=False),
        pa.field("audio", pa.binary()),
        pa.field("video", pa.binary()),
        pa.field("cells", pa.map_(pa.string(), pa.string()), nullable=False),
    ]
)


@dataclass(frozen=True)
class Shown:
    """What a folder of an export has to show.

    Attributes:
        samples: rows of `SAMPLES`.
    """

    _thumbnails: pa.Table
    samples: Sequence[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> Shown:
        """Read it.

        Raises:
            ContractError: a file of it is damaged.
        """
        samples = _table(folder / SAMPLES_FILE, SAMPLES).to_pylist(maps_as_pydicts="strict")
        return cls(_table(folder / THUMBNAILS_FILE, THUMBNAILS), samples)

    def thumbnail(self, example_id: str) -> bytes | None:
        """The small picture of a training row, if it has one."""
        place = pc.index(self._thumbnails.column("example_id"), pa.scalar(example_id)).as_py()
        found: bytes | None = (
            self._thumbnails.column("picture")[place].as_py() if place >= 0 else None
        )
        return found


def write_shown(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows of one of the two; the same bytes of the same rows."""
    table = pa.Table.from_pylist(list(rows), schema)
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)


def _table(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.is_file():
        return schema.empty_table()
    try:
        return pq.read_table(path, schema=schema)
    except (OSError, pa.ArrowException) as error:
        raise ContractError(
            f"{path}: not readable as Parquet: {error}. Export the model again with `dvc repro"
            " export`, or fetch it with `dvc pull`."
        ) from None
