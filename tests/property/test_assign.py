"""Whatever rows come: those before keep their groups and splits, and copies share a split."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseline.config import read_yaml
from fuseline.data.ingest.assign import Assigner
from fuseline.data.ingest.candidate import Candidate
from fuseline.data.ingest.refusal import Refusal
from fuseline.params.ingest import IngestParams
from tests.support.repository import PARAMS_FILE

CONTENT = read_yaml(PARAMS_FILE)["ingest"]
CONTENT["duplicates"] |= {"max_copies": 3, "image_distance": 4}
PARAMS = IngestParams.model_validate(CONTENT)

TEXTS = [
    None,
    "yes",
    "no",
    "the parcel that was sent to me on monday has not come",
    "the parcel that was sent to me on monday has not come!",
    "the parcel that was sent to us on monday has not come",
    "a bill for the last month was sent out to me two times",
]
_BASES = np.random.default_rng(0).integers(0, 256, (3, 440), np.uint8)
PICTURES: list[bytes | None] = [None]
for base in _BASES:
    for flipped in (0, 0b111, 0b111111):
        hashed = base.copy()
        hashed[0] ^= flipped
        PICTURES.append(hashed.tobytes())

rows = st.lists(
    st.tuples(
        st.sampled_from(TEXTS),
        st.sampled_from(PICTURES),
        st.sampled_from([None, None, "ann", "bob", "r3"]),
        st.sampled_from([None, "x", "y"]),
        st.sampled_from([None, None, None, "train", "test"]),
    ),
    max_size=40,
)


def assigned(given_rows: list[tuple[Any, ...]], size: int) -> list[tuple[str, str] | None]:
    candidates = [
        Candidate(
            {
                "example_id": f"r{number}",
                "group": group,
                "text": text,
                "label": label,
                "split": split,
                "tabular": None,
            },
            0,
            {"image": picture} if picture else {},
        )
        for number, (text, picture, group, label, split) in enumerate(given_rows)
    ]
    assigner = Assigner(PARAMS)
    found = []
    for start in range(0, len(candidates), size):
        for each in assigner.assign(candidates[start : start + size]):
            refused = isinstance(each, Refusal)
            found.append(None if refused else (each["group"], each["split"]))
    return found


@settings(deadline=None, max_examples=60)
@given(rows, st.integers(0, 40), st.integers(1, 40), st.integers(1, 40))
def test_appended_rows_and_blocks_change_nothing(
    given_rows: list[tuple[Any, ...]], kept: int, size: int, other_size: int
) -> None:
    before = assigned(given_rows[:kept], other_size)
    assert assigned(given_rows, size)[: len(before)] == before


@settings(deadline=None, max_examples=60)
@given(rows)
def test_groups_and_rows_alike_in_all_never_straddle(given_rows: list[tuple[Any, ...]]) -> None:
    splits: dict[object, set[str]] = {}
    outcome = assigned(given_rows, 7)
    for (text, picture, group, _, _), found in zip(given_rows, outcome, strict=True):
        if found is not None:
            splits.setdefault(found[0], set()).add(found[1])
            splits.setdefault((text, picture), set()).add(found[1])
            if group:
                splits.setdefault(("group", group), set()).add(found[1])
    assert all(len(each) == 1 for each in splits.values())


@settings(deadline=None, max_examples=60)
@given(rows)
def test_a_given_split_is_kept_or_the_row_refused(given_rows: list[tuple[Any, ...]]) -> None:
    for (*_, split), found in zip(given_rows, assigned(given_rows, 7), strict=True):
        assert split is None or found is None or found[1] == split


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([None, "x", "y"]), st.sampled_from([None, "test"]))),
    st.integers(1, 40),
)
def test_rows_with_a_split_move_no_others(
    kinds: list[tuple[str | None, str | None]], size: int
) -> None:
    """Rows of nothing in common, so that only the shares could tie them."""
    given_rows = [
        (f"word {number}", None, f"group {number}", label, split)
        for number, (label, split) in enumerate(kinds)
    ]
    blank = [each for each in given_rows if each[-1] is None]
    found = assigned(given_rows, size)
    among = [split for split, row in zip(found, given_rows, strict=True) if row[-1] is None]
    assert among == assigned(blank, size)
