"""Splits depend on the group's name, the salt and the shares, and on nothing else."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseline.contracts import SPLITS
from fuseline.ingest.split import split_of
from fuseline.params.ingest import SplitParams

SHARES = SplitParams(salt=0, train=0.70, dev=0.15, test=0.15)
groups = st.text(st.characters(exclude_categories=["Cs"]))


@st.composite
def split_params(draw: st.DrawFn) -> SplitParams:
    train = draw(st.integers(1, 100))
    dev = draw(st.integers(0, 100 - train))
    return SplitParams(
        salt=draw(st.integers(-(2**40), 2**40)),
        train=train / 100,
        dev=dev / 100,
        test=(100 - train - dev) / 100,
    )


@given(groups, split_params())
def test_a_split_is_one_of_three_and_always_the_same(group: str, params: SplitParams) -> None:
    split = split_of(group, params)
    assert split in SPLITS
    assert split == split_of(group, params.model_copy())


@given(groups, split_params())
def test_a_share_of_zero_gets_no_row(group: str, params: SplitParams) -> None:
    assert getattr(params, split_of(group, params)) > 0


@given(st.lists(groups, unique=True), st.lists(groups, unique=True), split_params())
def test_adding_groups_moves_none(old: list[str], new: list[str], params: SplitParams) -> None:
    before = {group: split_of(group, params) for group in old}
    after = {group: split_of(group, params) for group in [*new, *old]}
    assert {group: after[group] for group in old} == before


@given(groups, st.integers(1, 98), st.integers(0, 99))
def test_a_larger_train_share_takes_groups_and_gives_none(
    group: str, train: int, more: int
) -> None:
    larger = min(99, train + more)
    small = SplitParams(salt=0, train=train / 100, dev=0.0, test=(100 - train) / 100)
    large = SplitParams(salt=0, train=larger / 100, dev=0.0, test=(100 - larger) / 100)
    if split_of(group, small) == "train":
        assert split_of(group, large) == "train"


@pytest.mark.parametrize("salt", range(3))
def test_shares_are_met_over_many_groups(salt: int) -> None:
    params = SHARES.model_copy(update={"salt": salt})
    counts = Counter(split_of(f"group {number}", params) for number in range(20_000))
    for split in SPLITS:
        assert counts[split] / 20_000 == pytest.approx(getattr(SHARES, split), abs=0.012)


def test_salts_split_independently() -> None:
    other = SHARES.model_copy(update={"salt": 1})
    names = [f"group {number}" for number in range(5000)]
    both = sum(split_of(name, SHARES) == "test" == split_of(name, other) for name in names)
    assert both / 5000 == pytest.approx(0.15 * 0.15, abs=0.01)


def test_known_groups_stay_where_they_are() -> None:
    """Written down, so that a change of the hash cannot pass unseen."""
    names = ["1F3C3", "1F46A", "synthetic-0", "synthetic-1", "日本", ""]
    assert [split_of(name, SHARES) for name in names] == [
        "train",
        "test",
        "train",
        "train",
        "test",
        "test",
    ]
