"""What is no content becomes no input, and each column left out says what would use it."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from fuseline.workbench.scaffold.columns import guess_columns
from fuseline.workbench.scaffold.guess import Guess
from fuseline.workbench.scaffold.profile import Profile
from tests.support.media import picture, sound, video

ROWS = 120
RNG = random.Random(5)
WORDS = [
    "harbour",
    "meadow",
    "tower",
    "bridge",
    "market",
    "orchard",
    "quarry",
    "valley",
    "river",
    "street",
]
SENTENCES = [" ".join(RNG.choices(WORDS, k=8)) for _ in range(ROWS)]
# Sorted, so that whatever counts the rows tells the label.
LABELS = [("low", "middle", "high")[row * 3 // ROWS] for row in range(ROWS)]


def each(form: str, step: int = 1) -> list[str]:
    return [form.format(row * step) for row in range(ROWS)]


def drawn(values: list[str], seed: int = 3) -> list[str]:
    rng = random.Random(seed)
    return [rng.choice(values) for _ in range(ROWS)]


def shuffled(cells: list[Any]) -> list[Any]:
    return random.Random(7).sample(cells, len(cells))


def guess(name: str, cells: list[Any], **others: list[Any]) -> Guess:
    columns = {"text": SENTENCES, "label": LABELS} | others | {name: cells}
    profiles = [Profile(column, values) for column, values in columns.items()]
    return {guess.column: guess for guess in guess_columns(profiles, None)}[name]


SEVERAL = {
    "genres": [f"{a};{b}" for a, b in zip(drawn(WORDS[:5]), drawn(WORDS[:5], 4), strict=True)],
    "topics": [f"{a}, {b}" for a, b in zip(drawn(WORDS[:5]), drawn(WORDS[:5], 4), strict=True)],
    "tags": [f"{a} {b}" for a, b in zip(drawn(WORDS[:5]), drawn(WORDS[:5], 4), strict=True)],
}
EMBEDDED = {
    "photo": ([base64.b64encode(picture("BMP")).decode()] * ROWS, "image", 1),
    "jpeg": ([base64.b64encode(picture("JPEG")).decode()] * ROWS, "image", 1),
    "clip": ([base64.b64encode(sound()).decode()] * ROWS, "audio", 0),
    "film": ([base64.b64encode(video()).decode()] * ROWS, "video", 0),
    "uri": (["data:image/png;base64," + base64.b64encode(picture()).decode()] * ROWS, "image", 1),
    "photos": (["a.png;b.png"] * ROWS, "image", 2),
    "pictures": ([json.dumps([f"{row}.png", f"{row}b.png"]) for row in range(ROWS)], "image", 2),
    "structs": ([[{"bytes": picture(), "path": None}] * 3] * ROWS, "image", 3),
}

COUNTERS = {
    "ticket_no": each("{}"),
    "order number": shuffled(each("{}")),
    "serial": shuffled([str(900 + row) for row in range(ROWS)]),
    "seq": [str(row * 2) for row in range(ROWS)],
    "rank": [str(ROWS - row) for row in range(ROWS)],
    "n": each("{}.0"),
    "record": [str(70_000 + row + row // 9) for row in range(ROWS)],
    "sample": shuffled([str(12_000_000 + row * 3) for row in range(ROWS)]),
    "elapsed": [f"{row * 0.25 + row * row * 0.001:.4f}" for row in range(ROWS)],
    "hash": [f"{random.Random(row).getrandbits(128):032x}" for row in range(ROWS)],
}
TIMES = {
    "epoch": each("17000{:05d}", 60),
    "ts": [str(1_700_000_000_000 + row * 977) for row in range(ROWS)],
    "shuffled_time": shuffled([str(1_600_000_000 + row * 60_000) for row in range(ROWS)]),
    "when": [f"2024-01-{row % 28 + 1:02d} 10:{row % 60:02d}:00" for row in range(ROWS)],
    "created_at": [f"2024-01-{row % 28 + 1:02d}T10:00:00Z" for row in range(ROWS)],
    "posted": [f"{row % 28 + 1:02d}/01/2024 09:{row % 60:02d}" for row in range(ROWS)],
    "header_date": ["Mon, 01 Jan 2024 10:00:00 +0000"] * ROWS,
    "unix": [f"{1_700_000_000 + row}.0" for row in range(ROWS)],
    "nanos": [str(1_700_000_000_000_000_000 + row) for row in range(ROWS)],
    "updated": [f"2024-{row // 28 + 1:02d}-{row % 28 + 1:02d}" for row in range(ROWS)],
}
INDEXES = {
    name: each("{}")
    for name in ("Unnamed: 0", "Unnamed: 0.1", "", "index", "level_0", "__index_level_0__", "row")
}
SPLITS = {
    "fold": drawn(list("01234")),
    "kfold": drawn(["1", "2", "3"]),
    "cv_fold": drawn(["a", "b"]),
    "split": drawn(list("012")),
    "Subset": drawn(["train", "holdout"]),
    "part": drawn(["train", "eval"]),
    "usage": drawn(["train", "evaluation", "test"]),
}
PACKED = {
    "photo_urlsafe": [base64.urlsafe_b64encode(picture("WEBP")).decode()] * ROWS,
    "svg": ["data:image/svg+xml;utf8,<svg/>"] * ROWS,
    "blob": [base64.b64encode(random.Random(row).randbytes(150)).decode() for row in range(ROWS)],
    "embedding": [json.dumps([row, 0.5, 0.25]) for row in range(ROWS)],
    "vector": [[0.5, row] for row in range(ROWS)],
    "answers": [[f"{text} indeed", text] for text in SENTENCES],
    "dirty": [[text, text] if row % 20 else "[none" for row, text in enumerate(SENTENCES)],
    "spans": [json.dumps([f"n{row}", f"m{row}"]) for row in range(ROWS)],
    "python": [f"['{a}', '{b}']" for a, b in zip(drawn(WORDS), drawn(WORDS, 4), strict=True)],
    "array": ["[0.1 0.2\n 0.3]"] * ROWS,
    "meta": [{"a": row} for row in range(ROWS)],
}


@pytest.mark.parametrize("name", COUNTERS)
def test_counters_are_no_inputs(name: str) -> None:
    found = guess(name, COUNTERS[name])
    assert found.field in (None, "id"), found
    assert found.field == "id" or "--use" in found.instead


@pytest.mark.parametrize("name", COUNTERS)
def test_counters_are_no_inputs_beside_an_id(name: str) -> None:
    found = guess(name, COUNTERS[name], id=each("A{}"))
    assert found.field is None, found
    assert f"--use '{name}=" in found.instead


@pytest.mark.parametrize("name", TIMES)
def test_points_in_time_are_no_inputs(name: str) -> None:
    found = guess(name, TIMES[name], id=each("A{}"))
    assert found.field is None, found
    assert "a time stamp" in found.reason
    assert f"--use '{name}=tabular'" in found.instead


@pytest.mark.parametrize("name", INDEXES)
def test_the_index_of_a_data_frame_is_left_out(name: str) -> None:
    found = guess(name, INDEXES[name])
    assert (found.field, found.reason) == (None, "row numbers of a data frame")


@pytest.mark.parametrize("name", SPLITS)
def test_folds_and_codes_of_splits_are_no_inputs(name: str) -> None:
    found = guess(name, SPLITS[name])
    assert found.field is None, found
    assert "write train, dev or test" in found.instead


@pytest.mark.parametrize("name", PACKED)
def test_packed_cells_are_named_for_what_they_are(name: str) -> None:
    found = guess(name, PACKED[name])
    assert found.field is None, found
    assert any(
        word in found.reason for word in ("base64", "data URIs", "list", "several", "objects")
    )
    assert found.instead
    assert all(len(sample) < 40 for sample in found.samples)


@pytest.mark.parametrize("name", EMBEDDED)
def test_media_in_cells_are_what_ingest_reads_of_them(name: str) -> None:
    cells, field, pictures = EMBEDDED[name]
    found = guess(name, cells)
    assert (found.field, found.pictures) == (field, pictures)
    assert all(len(sample) < 40 for sample in found.samples)


@pytest.mark.parametrize("name", ["sounds", "clips"])
def test_several_files_in_a_cell_are_read_of_pictures_alone(name: str) -> None:
    ending = {"sounds": "wav", "clips": "mp4"}[name]
    found = guess(name, [f"a.{ending};b.{ending}"] * ROWS)
    assert (found.field, found.reason) == (None, "several files in a cell")


@pytest.mark.parametrize(("name", "separator"), zip(SEVERAL, ";, ", strict=True))
def test_whatever_parts_names_is_found(name: str, separator: str) -> None:
    profiles = [Profile("text", SENTENCES), Profile(name, SEVERAL[name])]
    found = guess_columns(profiles, None)[1]
    assert (found.field, found.separator) == ("target:categories", separator)
    assert guess(name, SEVERAL[name]).instead == f"--use '{name}=target:categories' keeps it"


@pytest.mark.parametrize("name", ["patient", "Kunde", "user_id", "group"])
def test_whose_a_row_is_makes_no_category(name: str) -> None:
    many = [f"p{row}" for row in range(25)]
    large = guess(name, ["p0"] * 90 + many[: ROWS - 90] + ["p1"] * (ROWS - 115))
    assert (large.field, "too large a group" in large.reason) == (None, True)
    assert "ingest.max_group_share" in large.instead
    second = guess(name, drawn(many), split_group=drawn(many, 9))
    assert second.field is None or name in ("patient", "group")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("split_group", each("g{}")[: ROWS // 2] * 2),
        ("group", drawn(each("{}")[:30])),
        ("product_id", drawn([str(1000 + row) for row in range(40)])),
        ("ProductID", drawn([str(1000 + row) for row in range(40)])),
        ("patient", drawn([f"P{row:03d}" for row in range(25)])),
        ("Patient ID", drawn([str(row) for row in range(25)])),
        ("session", drawn([f"s-{row}" for row in range(25)])),
        ("session_id", drawn([str(row) for row in range(25)])),
        ("speaker", drawn(["ann", "bo", "cy", "di"])),
        ("user", drawn([str(row) for row in range(30)])),
        ("subject_no", drawn([str(row) for row in range(30)])),
        ("author_name", drawn(WORDS)),
        ("conversation_id", drawn([f"c{row}" for row in range(30)])),
        ("video_id", drawn([f"v{row}" for row in range(30)])),
        ("doc", drawn([f"d{row}" for row in range(30)])),
        ("store_key", drawn([f"d{row}" for row in range(30)])),
        ("thing_id", drawn([f"d{row}" for row in range(50)])),
        ("household", drawn([f"h{row}" for row in range(30)])),
    ],
)
def test_groups_are_known_by_name_and_by_values_that_recur(name: str, cells: list[str]) -> None:
    assert guess(name, cells, id=each("A{}")).field == "group"


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("user", ["one"] * (ROWS - 4) + list("abcd")),
        ("season", drawn(["spring", "summer"])),
        ("company", drawn(["one"])),
        ("patient", each("P{}")),
    ],
)
def test_no_group_is_one_or_all(name: str, cells: list[str]) -> None:
    assert guess(name, cells, id=each("A{}")).field != "group"


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("id", ["", *each("{}")[1:]]),
        ("id", ["3", *each("{}")[1:]]),
        ("ID", [*each("x{}")[:-3], "x1", "x2", ""]),
        ("uuid", [None, *each("{}-f")[1:]]),
    ],
)
def test_an_id_is_known_among_dirty_cells(name: str, cells: list[str]) -> None:
    found = guess(name, [cell or None for cell in cells])
    assert (found.field, "refused by ingest" in found.reason) == ("id", True)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("price", [f"{random.Random(row).random() * 90:.2f}" for row in range(ROWS)]),
        ("age", drawn([str(age) for age in range(18, 80)])),
        ("year", drawn([str(year) for year in range(1990, 2024)])),
        ("salary", [str(random.Random(row).randrange(20_000, 2_000_000)) for row in range(ROWS)]),
        ("built", drawn([f"{year}-05-0{day}" for year in range(1990, 2020) for day in (1, 7)])),
        ("num_rooms", drawn(list("123456"))),
        ("colour", drawn(WORDS)),
        ("weather", drawn(["dry", "wet"])),
        ("width", [f"{random.Random(row).gauss(0, 1):.5f}" for row in range(ROWS)]),
        ("zip", drawn([str(10_000 + 37 * row) for row in range(40)])),
    ],
)
def test_what_is_measured_stays_an_input(name: str, cells: list[str]) -> None:
    assert guess(name, cells, id=each("A{}")).field == "tabular"


@pytest.mark.parametrize(
    ("columns", "task"),
    [
        ({"text": SENTENCES, "x": COUNTERS["elapsed"][::-1]}, None),
        ({"text": SENTENCES, "value": drawn(["1.5", "2.25", "7.125"])}, "value"),
        ({"text": SENTENCES, "size": drawn([f"{n}.5" for n in range(50)])}, "size"),
        ({"text": SENTENCES, "a": drawn(["1.5", "2"]), "score": drawn(["3.5", "9"])}, "score"),
        ({"age": drawn(each("{}")[:70]), "medv": drawn(each("{}.5")[:90])}, "medv"),
        ({"rooms": drawn(list("123")), "y": drawn(each("{}.5"))}, "y"),
        ({"file": each("{}.wav"), "duration": drawn(each("{}.5")[:40])}, "duration"),
        ({"brand": drawn(WORDS), "price": drawn(each("{}.25")[:80])}, "price"),
    ],
)
def test_a_lone_number_is_to_be_learnt(columns: dict[str, Any], task: str | None) -> None:
    profiles = [Profile(column, values) for column, values in columns.items()]
    fields = {guess.column: guess.field for guess in guess_columns(profiles, None)}
    targets = [name for name, field in fields.items() if field == "target:number"]
    assert targets == ([task] if task else [])


@pytest.mark.parametrize(
    "cells",
    [
        [json.dumps(pair) for pair in zip(drawn(WORDS), drawn(WORDS, 4), strict=True)],
        [list(pair) for pair in zip(drawn(WORDS), drawn(WORDS, 4), strict=True)],
        [f"{a}|{b}" for a, b in zip(drawn(WORDS[:5]), drawn(WORDS[:5], 4), strict=True)],
    ],
)
def test_several_names_in_a_cell_are_learnt_as_a_set(cells: list[Any]) -> None:
    profiles = [Profile("text", SENTENCES), Profile("genre", cells)]
    assert guess_columns(profiles, None)[1].field == "target:categories"
    beside = guess("genre", cells)
    assert (beside.field, beside.instead) == (None, "--use 'genre=target:categories' keeps it")


def test_what_somebody_says_speaks_first() -> None:
    columns = {"n": each("{}"), "text": SENTENCES, "label": LABELS, "title": SENTENCES}
    profiles = [Profile(column, values) for column, values in columns.items()]
    told = {"n": "tabular", "title": "text", "text": None, "label": "target:category"}
    fields = {guess.column: guess.field for guess in guess_columns(profiles, None, told)}
    assert fields == told


def test_first_rows_of_one_label_do_not_hide_it() -> None:
    profiles = [Profile("text", SENTENCES * 10), Profile("label", ["low"] * 1200)]
    assert guess_columns(profiles, None)[1].field == "label"
    assert guess("kind", ["low"] * ROWS).field is None


@pytest.mark.parametrize("name", ["app.ts", "mail.example.au"])
def test_endings_of_other_things_make_no_media(name: str) -> None:
    assert guess("where", drawn([f"{word}.{name}" for word in WORDS])).field == "tabular"
