"""Lists of all known users, as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.contracts.durable import put
from fuseline.errors import ConfigError
from fuseline.serving.recommending.filters import Condition
from fuseline.serving.recommending.recommender import Recommender

# Scores of a block of users and all items that are held at once: 64 MB.
BLOCK_SCORES = 2**24
LISTS = pa.schema(
    [
        pa.field("user", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
    ]
)


def write_lists(
    recommender: Recommender,
    path: Path,
    *,
    count: int,
    seen: bool = False,
    where: Sequence[Condition] = (),
    diversity: float = 0.0,
) -> int:
    """Write the list of every known user, block by block, whole or not at all.

    Returns:
        How many users there are.

    Raises:
        ConfigError: the path is no Parquet file in a folder that is there, or a condition names
            no column.
    """
    if path.suffix != ".parquet" or not path.parent.is_dir():
        raise ConfigError(
            f"--output: expected a .parquet file in a folder that exists, found {path}. Make the"
            " folder, and name the file as lists.parquet."
        )
    allowed = recommender.allowed(where)
    ids = np.array(recommender.items.ids, dtype=object)
    size = max(1, min(256, BLOCK_SCORES // max(1, recommender.facts.num_items)))
    partial = path.with_name(path.name + ".partial")
    try:
        with pq.ParquetWriter(partial, LISTS, compression="zstd") as file:
            for block in recommender.users.blocks(size):
                people = recommender.people([history for _, history in block])
                for (user, history), scores in zip(block, recommender.scores(people), strict=True):
                    rows = recommender.listed(
                        scores, history, allowed, count=count, seen=seen, diversity=diversity
                    )
                    ranks = np.arange(1, len(rows) + 1, dtype=np.int32)
                    columns = [[user] * len(rows), ranks, ids[rows], scores[rows]]
                    file.write_batch(pa.record_batch(columns, schema=LISTS))
        put(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return len(recommender.users)
