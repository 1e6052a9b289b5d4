"""Rows added to a source leave every shard that was full as it was, in every table."""

from __future__ import annotations

from fuseline.contracts import hash_file
from tests.support.workspace import MODALITIES, Workspace

ROWS, MORE_ROWS = 120, 127
TABLES = [
    "data/examples",
    "data/tokens",
    *(f"data/features/{modality}" for modality in MODALITIES if modality != "text"),
]


def shards(workspace: Workspace) -> dict[str, str]:
    """Hash of each shard of each table."""
    return {
        f"{table}/{path.name}": hash_file(path)
        for table in TABLES
        for path in sorted((workspace.root / table).glob("*.parquet"))
    }


def test_rows_added_later_leave_the_shards_of_every_table(workspace: Workspace) -> None:
    before = shards(workspace)
    workspace.set_params({"ingest.synthetic.num_rows": MORE_ROWS})
    ran = workspace.repro("tokenize", "extract_features")
    after = shards(workspace)
    assert {"ingest", "tokenize"} <= set(ran)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + len(TABLES)
