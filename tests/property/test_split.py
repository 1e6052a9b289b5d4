"""Splits depend on the salt, the shares and the groups before, and on nothing that comes later."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseline.contracts import SPLITS
from fuseline.data.ingest.split import HELD_GROUPS, Splitter, split_of
from fuseline.params.ingest import SplitParams

GIVEN: Any = {"names": {}, "from_train": []}
SHARES = SplitParams(salt=0, train=0.70, dev=0.15, test=0.15, **GIVEN)
groups = st.text(st.characters(exclude_categories=["Cs"]))
labelled = st.lists(st.tuples(groups, st.sampled_from([None, "a", "b", "c"])), max_size=80)


@st.composite
def split_params(draw: st.DrawFn) -> SplitParams:
    train = draw(st.integers(1, 100))
    dev = draw(st.integers(0, 100 - train))
    return SplitParams(
        salt=draw(st.integers(-(2**40), 2**40)),
        train=train / 100,
        dev=dev / 100,
        test=(100 - train - dev) / 100,
        **GIVEN,
    )


def assigned(given_groups: list[tuple[str, str | None]], params: SplitParams) -> list[str]:
    splitter = Splitter(params)
    return [splitter.assign(group, label) for group, label in given_groups]


@given(groups, split_params())
def test_a_split_is_one_of_three_and_always_the_same(group: str, params: SplitParams) -> None:
    split = split_of(group, params)
    assert split in SPLITS
    assert split == split_of(group, params.model_copy())


@given(labelled, split_params())
def test_a_share_of_zero_gets_no_group(
    given_groups: list[tuple[str, str | None]], params: SplitParams
) -> None:
    assert all(getattr(params, split) > 0 for split in assigned(given_groups, params))


@given(labelled, labelled, split_params())
def test_groups_that_come_later_move_none(
    old: list[tuple[str, str | None]], new: list[tuple[str, str | None]], params: SplitParams
) -> None:
    assert assigned([*old, *new], params)[: len(old)] == assigned(old, params)


@given(labelled, split_params())
def test_each_split_has_its_share_of_a_label_of_few_groups_but_for_one_group(
    given_groups: list[tuple[str, str | None]], params: SplitParams
) -> None:
    counts: dict[str, Counter[str]] = {}
    for (_, label), split in zip(given_groups, assigned(given_groups, params), strict=True):
        if label is None:
            continue
        counts.setdefault(label, Counter())[split] += 1
        if counts[label].total() > HELD_GROUPS:
            continue
        for each in SPLITS:
            wanted = getattr(params, each) * counts[label].total()
            assert abs(counts[label][each] - wanted) < 1 + 1e-6


@given(st.integers(0, 600), st.sampled_from(["a", "b"]), st.integers(0, 50))
def test_a_group_that_comes_in_between_moves_few(place: int, label: str, salt: int) -> None:
    params = SHARES.model_copy(update={"salt": salt})
    old = [(f"group {number}", "ab"[number % 2]) for number in range(600)]
    before = dict(zip(old, assigned(old, params), strict=True))
    new = [*old[:place], ("new", label), *old[place:]]
    after = dict(zip(new, assigned(new, params), strict=True))
    assert sum(after[row] != before[row] for row in old) <= 2 * HELD_GROUPS
    assert all(after[row] == before[row] for row in old[2 * HELD_GROUPS + 2 :])


@given(groups, split_params())
def test_groups_without_a_label_follow_the_hash(group: str, params: SplitParams) -> None:
    splitter = Splitter(params)
    for number in range(5):
        splitter.assign(str(number), "a")
    assert splitter.assign(group, None) == split_of(group, params)


@given(groups, st.integers(1, 98), st.integers(0, 99))
def test_a_larger_train_share_takes_groups_and_gives_none(
    group: str, train: int, more: int
) -> None:
    larger = min(99, train + more)
    small = SplitParams(salt=0, train=train / 100, dev=0.0, test=(100 - train) / 100, **GIVEN)
    large = SplitParams(salt=0, train=larger / 100, dev=0.0, test=(100 - larger) / 100, **GIVEN)
    if split_of(group, small) == "train":
        assert split_of(group, large) == "train"


@pytest.mark.parametrize("salt", range(3))
def test_shares_are_met_over_many_groups(salt: int) -> None:
    params = SHARES.model_copy(update={"salt": salt})
    counts = Counter(split_of(f"group {number}", params) for number in range(20_000))
    for split in SPLITS:
        assert counts[split] / 20_000 == pytest.approx(getattr(SHARES, split), abs=0.012)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_shares_are_met_on_average_by_labels_of_few_groups(size: int) -> None:
    """Over salts: labels of one to five groups lean to no split."""
    counts: Counter[str] = Counter()
    for salt in range(400):
        params = SHARES.model_copy(update={"salt": salt})
        rows = [(f"{label} {n}", str(label)) for label in range(10) for n in range(size)]
        counts.update(assigned(rows, params))
    for split in SPLITS:
        share = counts[split] / counts.total()
        assert share == pytest.approx(getattr(SHARES, split), abs=0.03)


def test_a_label_of_seven_groups_is_in_every_split() -> None:
    for salt in range(200):
        params = SHARES.model_copy(update={"salt": salt})
        assert set(assigned([(str(n), "a") for n in range(7)], params)) == set(SPLITS)


def test_few_groups_of_many_labels_are_in_every_split() -> None:
    """Six speakers who each begin with another digit."""
    without_test = 0
    for salt in range(200):
        params = SHARES.model_copy(update={"salt": salt})
        without_test += "test" not in assigned([(f"s{n}", str(n)) for n in range(6)], params)
    # By the hash alone it would be 0.85 ** 6, or 75 of 200.
    assert without_test < 40


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
    assert assigned([(name, "a") for name in names], SHARES) == [
        "train",
        "test",
        "train",
        "train",
        "dev",
        "train",
    ]
