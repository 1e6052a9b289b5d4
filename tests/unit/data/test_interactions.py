from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fuseline.contracts import INTERACTIONS, TableWriter, shard_name
from fuseline.data.interactions import load_interactions
from fuseline.errors import ContractError

ROWS = [
    ("ann", "b", 30, 4.0),
    ("bob", "a", 10, None),
    ("ann", "a", 20, 5.0),
    ("cid", "c", 20, 1.0),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    writer = TableWriter(tmp_path / "interactions", INTERACTIONS, "interactions")
    for index, part in enumerate((ROWS[:2], ROWS[2:])):
        user, item, time, value = zip(*part, strict=True)
        columns = [range(len(part)), user, item, time, value, [None] * len(part)]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, INTERACTIONS, strict=True)]
        writer.write(shard_name(index), pa.Table.from_arrays(arrays, schema=INTERACTIONS))
    writer.finish(dev_from=20, test_from=30)
    return writer.folder


def test_events_come_in_the_order_of_their_times(table: Path) -> None:
    found = load_interactions(table, ["a", "b", "c"])
    assert [found.users[user] for user in found.user] == ["bob", "ann", "cid", "ann"]
    np.testing.assert_array_equal(found.item, [0, 0, 2, 1])
    np.testing.assert_array_equal(found.value, np.array([np.nan, 5, 1, 4], np.float32))
    assert (found.dev_from, found.test_from) == (20, 30)


def test_events_of_one_second_are_not_parted(table: Path) -> None:
    found = load_interactions(table, ["a", "b", "c"])
    assert len(found.between(end=found.dev_from)) == 1
    np.testing.assert_array_equal(found.between(20, 30).time, [20, 20])
    np.testing.assert_array_equal(found.between(30).item, [1])


def test_items_of_another_run_are_refused(table: Path) -> None:
    with pytest.raises(ContractError, match="not in the examples table"):
        load_interactions(table, ["a", "b"])


def test_without_events_there_is_nothing(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path, INTERACTIONS, "interactions")
    writer.finish(dev_from=0, test_from=0)
    assert len(load_interactions(tmp_path, ["a"])) == 0
