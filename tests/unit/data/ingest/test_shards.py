"""Which shard a row lies in: fixed by the rows and batches up to it."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseline.data.ingest import shards
from fuseline.data.ingest.shards import ShardPlan


def placed(batches: list[int], shard_rows: int = 64) -> list[int]:
    plan = ShardPlan(shard_rows)
    return [plan.place(batch, 0) for batch in batches]


def test_shards_start_small_and_double() -> None:
    indices = placed([0] * (64 * 8 + 64 * 16 + 64 * 32 + 200), shard_rows=64)
    sizes = [len(list(rows)) for _, rows in groupby(indices)]
    assert sizes == [8] * 64 + [16] * 64 + [32] * 64 + [64, 64, 64, 8]


@pytest.mark.parametrize(("shard_rows", "first"), [(8, 8), (30, 8), (1024, 128)])
def test_first_shards_are_an_eighth_but_no_crumbs(shard_rows: int, first: int) -> None:
    assert placed([0] * 1000, shard_rows).index(1) == first


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(0, 300))
def test_batches_never_share_a_shard(sizes: list[int], kept: int) -> None:
    batches = [batch for batch, size in enumerate(sizes) for _ in range(size)]
    indices = placed(batches)
    assert len({(index, batch) for index, batch in zip(indices, batches, strict=True)}) == len(
        set(indices)
    )
    # And what comes later moves no row.
    assert placed(batches[:kept]) == indices[:kept]
    assert sorted(set(indices)) == list(range(len(set(indices))))


def test_heavy_media_end_a_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_SHARD_MEDIA_BYTES", 100)
    plan = ShardPlan(64)
    assert [plan.place(0, size) for size in (60, 40, 1, 0, 500, 0, 10)] == [0, 0, 1, 1, 2, 3, 3]
