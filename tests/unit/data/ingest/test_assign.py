"""Groups and splits: what counts as a copy, what joins, what cannot be kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from fuseline.contracts import SPLITS
from fuseline.data.ingest.assign import MAX_LISTED_CONFLICTS, Assigner
from fuseline.data.ingest.candidate import Candidate, Record
from fuseline.data.ingest.refusal import Refusal
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]
SIZES = {"image": 440, "audio": 322, "video": 1760}
LONG = "the parcel that was sent to me on monday has not come yet"


def medium(name: str, seed: int) -> bytes:
    """A fingerprint unlike that of any other seed."""
    return np.random.default_rng([len(name), seed]).bytes(SIZES[name])


def nearly(fingerprint: bytes) -> bytes:
    """The fingerprint with two bits of its hash flipped."""
    return bytes([fingerprint[0] ^ 0b11]) + fingerprint[1:]


def row(
    number: int,
    text: str | None = None,
    group: str | None = None,
    label: str | None = "x",
    tabular: dict[str, str | None] | None = None,
    split: str | None = None,
    **media: bytes,
) -> Candidate:
    record: Record = {"example_id": f"r{number}", "source_row": number, "group": group}
    record |= {"text": text, "label": label, "tabular": tabular, "split": split}
    return Candidate(record, 0, media)


def outcomes(assigner: Assigner, rows: Sequence[Candidate], size: int = 1000) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(rows), size):
        found += assigner.assign(rows[start : start + size])
    return found


def groups(assigner: Assigner, rows: Sequence[Candidate]) -> list[str | None]:
    """The group of each row, None where it was refused."""
    return [
        None if isinstance(each, Refusal) else each["group"] for each in outcomes(assigner, rows)
    ]


@pytest.fixture
def assigner(build_params: Build) -> Assigner:
    return Assigner(build_params(duplicates={"max_copies": 3, "audio_distance": 0.15}))


def separate(assigner: Assigner, split: str, start: int = 1000, **given: Any) -> Candidate:
    """A kept row in the given split, unlike any other."""
    for number in range(start, start + 200):
        each = row(number, **(given | {"text": None, "video": medium("video", number)}))
        kept = next(assigner.assign([each]))
        assert not isinstance(kept, Refusal)
        if kept["split"] == split:
            return each
    raise AssertionError(f"no row came to {split}")


@pytest.mark.parametrize("name", ["image", "audio", "video"])
def test_nearly_the_same_medium_makes_a_copy(assigner: Assigner, name: str) -> None:
    one = medium(name, 1)
    rows = [
        row(0, "first", **{name: one}),
        row(1, "another text", **{name: nearly(one)}),
        row(2, "a third", **{name: medium(name, 2)}),
        row(3, None, **{name: one}),
    ]
    assert groups(assigner, rows) == ["r0", "r0", "r2", "r0"]
    assert assigner.metrics()["by_modality"][name] == 2


def test_long_texts_nearly_equal_make_a_copy_beside_other_media(assigner: Assigner) -> None:
    rows = [
        row(0, LONG, image=medium("image", 0)),
        row(1, LONG.upper() + "!", image=medium("image", 1)),
        row(2, "the parcel", image=medium("image", 2)),
        row(3, "the parcel", image=medium("image", 3)),
    ]
    assert groups(assigner, rows) == ["r0", "r0", "r2", "r3"]


def test_short_texts_alone_are_all_that_a_row_holds(assigner: Assigner) -> None:
    rows = [row(0, "yes"), row(1, "no"), row(2, " YES"), row(3, "no")]
    assert groups(assigner, rows) == ["r0", "r1", "r0", "r1"]


def test_cells_take_part_in_being_alike(assigner: Assigner) -> None:
    def cells(age: str | None) -> dict[str, str | None]:
        return {"age": age, "plan": "free"}

    rows = [
        row(0, "yes", tabular=cells("3")),
        row(1, "yes", tabular=cells("4")),
        row(2, "yes", tabular=dict(reversed(cells("3").items()))),
        row(3, "yes", tabular=cells(None)),
        row(4, None, tabular=cells("3")),
        row(5, None, tabular=cells("3")),
    ]
    assert groups(assigner, rows) == ["r0", "r1", "r0", "r3", "r4", "r4"]


def test_shared_picture_becomes_a_category(assigner: Assigner) -> None:
    """Rows alike in all go on being copies."""
    seven = medium("image", 7)
    rows = [row(n, "seven", image=seven, audio=medium("audio", n)) for n in range(6)]
    rows.append(row(6, "seven", image=nearly(seven), audio=nearly(medium("audio", 5))))
    assert groups(assigner, rows) == ["r0", "r0", "r0", "r3", "r4", "r5", "r5"]


def test_rows_alike_in_all_never_become_a_category(assigner: Assigner) -> None:
    rows = [row(n, "seven", image=medium("image", 7)) for n in range(9)]
    assert set(groups(assigner, rows)) == {"r0"}


def test_groups_told_apart_do_not_join_by_one_medium_of_two(assigner: Assigner) -> None:
    picture = medium("image", 7)
    rows = [
        row(0, "seven", "ann", image=picture, audio=medium("audio", 0)),
        row(1, "seven", "bob", image=picture, audio=medium("audio", 1)),
        # The other medium is the same too, or not there.
        row(2, "seven", "eve", image=picture, audio=nearly(medium("audio", 0))),
        row(3, "seven", "dan", image=picture),
    ]
    assert groups(assigner, rows) == ["ann", "bob", "ann", "ann"]


def test_new_group_whose_first_row_is_a_copy_becomes_another_name(assigner: Assigner) -> None:
    rows = [
        row(0, "a", "ann", image=medium("image", 0)),
        row(1, "b", "bob", image=medium("image", 0)),
        row(2, "c", "bob", image=medium("image", 2)),
        row(3, "d", "ann", image=medium("image", 3)),
    ]
    kept = outcomes(assigner, rows)
    assert [each["group"] for each in kept] == ["ann"] * 4
    assert len({each["split"] for each in kept}) == 1
    assert assigner.metrics()["groups_joined"] == 1
    assert assigner.metrics()["largest_group_share"] == 1.0


def test_row_that_ties_two_splits_is_refused_and_leaves_no_trace(assigner: Assigner) -> None:
    train, test = separate(assigner, "train"), separate(assigner, "test", 2000)
    both = row(5, LONG, image=medium("image", 5), video=train.fingerprints["video"])
    both = Candidate(both.record | {"group": test.record["example_id"]}, 0, both.fingerprints)
    refused, other = outcomes(assigner, [both, row(6, LONG, image=medium("image", 5))])
    assert isinstance(refused, Refusal)
    assert refused.reason == "straddles_splits"
    ids = train.record["example_id"], test.record["example_id"]
    assert refused.detail == (
        f"Its group {ids[1]!r}, that of row {ids[1]!r}, lies in test, but it copies row"
        f" {ids[0]!r} in train by its video."
    )
    assert other["group"] == "r6"


def test_copies_of_two_groups_in_one_split_join_the_earlier(assigner: Assigner) -> None:
    one, other = separate(assigner, "train"), separate(assigner, "train", 2000)
    image = medium("image", 0)
    rows = [
        row(0, "a", other.record["example_id"], image=image),
        row(1, "b", image=image, video=one.fingerprints["video"]),
    ]
    ids = one.record["example_id"], other.record["example_id"]
    assert groups(assigner, rows) == [ids[1], ids[0]]


def splits(assigner: Assigner, rows: Sequence[Candidate]) -> list[str | None]:
    """The split of each row, None where it was refused."""
    return [
        None if isinstance(each, Refusal) else each["split"] for each in outcomes(assigner, rows)
    ]


@pytest.mark.parametrize("given", SPLITS)
def test_a_group_goes_where_its_first_row_says(assigner: Assigner, given: str) -> None:
    rows = [
        row(0, "a", "ann", split=given),
        row(1, "b", "ann"),
        row(2, "c", "ann", split=given),
        row(3, LONG, split=given),
        row(4, LONG.upper()),
    ]
    assert splits(assigner, rows) == [given] * 5
    assert rows[4].record["group"] == "r3"


def test_a_given_split_is_kept_though_its_share_is_zero(build_params: Build) -> None:
    assigner = Assigner(build_params(split={"train": 0.8, "dev": 0.2, "test": 0.0}))
    rows = [row(n, f"word {n}", split="test" if n < 5 else None) for n in range(50)]
    found = splits(assigner, rows)
    assert found[:5] == ["test"] * 5
    assert set(found[5:]) == {"train", "dev"}


def test_the_first_row_wins_against_another_given_split(assigner: Assigner) -> None:
    rows = [
        row(0, "a", "ann", split="test"),
        row(1, "b", "ann", split="train"),
        row(2, LONG, split="train"),
        row(3, LONG.upper(), split="dev"),
        row(4, "c", "ann", split="test", image=medium("image", 4)),
        row(5, "d", "r2", image=medium("image", 4)),
    ]
    found = outcomes(assigner, rows)
    refused = {place: each for place, each in enumerate(found) if isinstance(each, Refusal)}
    assert {each.reason for each in refused.values()} == {"straddles_splits"}
    assert {place: each.detail for place, each in refused.items()} == {
        1: "Its own split is train, but its group 'ann', that of row 'r0', lies in test.",
        3: "Its own split is dev, but it copies row 'r2' in train by all that it holds.",
        5: "Its group 'r2', that of row 'r2', lies in train, but it copies row 'r4' in test by its"
        " image.",
    }


def test_a_group_that_the_hash_has_placed_stays_there(assigner: Assigner) -> None:
    first = separate(assigner, "train")
    group = first.record["example_id"]
    rows = [row(0, "a", group, split="test"), row(1, "b", group, split="train")]
    assert splits(assigner, rows) == [None, "train"]


@pytest.mark.parametrize("label", ["x", None])
def test_rows_with_a_split_leave_all_others_where_they_are(
    build_params: Build, label: str | None
) -> None:
    """Neither the first groups of their label, nor those that only their hash decides on."""
    plain = [row(n, f"word {n}", label=label) for n in range(60)]
    alone = splits(Assigner(build_params()), plain)
    mixed = []
    for n in range(60):
        mixed.append(row(1000 + n, f"other {n}", label=label, split="test"))
        mixed.append(row(n, f"word {n}", label=label))
    found = splits(Assigner(build_params()), mixed)
    assert found[::2] == ["test"] * 60
    assert found[1::2] == alone


def test_conflicting_labels_are_counted_and_listed(assigner: Assigner) -> None:
    rows = [row(n, LONG, label=str(n % 2)) for n in range(3 + 2 * MAX_LISTED_CONFLICTS)]
    outcomes(assigner, rows)
    assert assigner.metrics()["label_conflicts"] == 1 + MAX_LISTED_CONFLICTS
    assert len(assigner.conflicts) == MAX_LISTED_CONFLICTS
    assert assigner.conflicts[0] == {
        "example_ids": ["r0", "r1"],
        "labels": ["0", "1"],
        "alike_in": "all",
    }


def test_cost_of_a_recurring_picture_does_not_grow(
    assigner: Assigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each distinct fingerprint is compared once a block, however many rows hold it."""
    compared: list[int] = []
    from fuseline.data.ingest.duplicates import media

    distances = media._distances
    monkeypatch.setattr(
        media,
        "_distances",
        lambda new, old: compared.append(len(new) * len(old)) or distances(new, old),
    )
    rows = [row(n, "seven", image=medium("image", n % 10)) for n in range(500)]
    outcomes(assigner, rows, size=100)
    assert sum(compared) == 5 * 10 * 10
