"""Tables with columns beside text and label: ids, groups, splits, numbers, times."""

from __future__ import annotations

from pathlib import Path

from benchmarks.small_sets.material import (
    ROWS,
    Row,
    SmallSet,
    json_lines,
    messages,
    number,
    parquet,
    ratings,
    table,
)


def _rows() -> list[Row]:
    return [{"text": text, "category": intent} for text, intent in messages()]


def _cells(row: int) -> Row:
    rng = number("cells", row)
    kind = rng.randrange(3)
    return {
        "height": f"{rng.gauss(kind, 0.4):.3f}",
        "material": rng.choice(("oak", "steel", "glass")),
        "built": f"{rng.randrange(1950, 2020)}-{rng.randrange(1, 13):02d}-11",
        "style": ("gothic", "modern", "rustic")[kind],
    }


def index_and_counter(folder: Path) -> Path:
    rows = [
        {"": place, "ticket_no": 7000 + place, **row} for place, row in enumerate(sorted_rows())
    ]
    return table(folder / "rows.csv", rows)


def sorted_rows() -> list[Row]:
    """By label, so that whatever counts rows tells it."""
    return sorted(_rows(), key=lambda row: row["category"])


def ids(folder: Path) -> Path:
    rows = [{"message_id": f"m-{row * 7919 % 10007:05d}", **cells} for row, cells in _each()]
    return table(folder / "rows.csv", rows)


def repeated_ids(folder: Path) -> Path:
    rows = [{"id": row // 2 if row < 8 else row, **cells} for row, cells in _each()]
    return table(folder / "rows.csv", rows)


def _each() -> list[tuple[int, Row]]:
    return list(enumerate(_rows()))


def folds(folder: Path) -> Path:
    return table(folder / "rows.csv", [{**cells, "fold": row % 5} for row, cells in _each()])


def patients(folder: Path) -> Path:
    rows = [{"patient": f"p{row // 5:02d}", **cells} for row, cells in _each()]
    return table(folder / "rows.csv", rows)


def one_large_group(folder: Path) -> Path:
    rows = [
        {"session_id": "s0" if row % 3 else f"s{row}", "group": "g0" if row % 3 else f"g{row}"}
        | cells
        for row, cells in _each()
    ]
    return table(folder / "rows.csv", rows)


def _split(names: tuple[str, ...]) -> list[Row]:
    return [{**cells, "split": names[row // 4 % len(names)]} for row, cells in _each()]


def own_splits(folder: Path) -> Path:
    names = ("train", "train", "train", "valid", "test")
    return parquet(folder / "rows.parquet", _split(names))


def numbered_splits(folder: Path) -> Path:
    return table(folder / "rows.csv", _split(("0", "0", "0", "1", "2")))


def no_dev_split(folder: Path) -> Path:
    return table(folder / "rows.csv", _split(("train", "train", "train", "test")))


def eval_split(folder: Path) -> Path:
    return table(folder / "rows.csv", _split(("train", "train", "train", "eval", "test")))


def unlabelled_dev(folder: Path) -> Path:
    """Only training and test rows bear a label, as some challenges deliver them."""
    rows = _split(("train", "train", "train", "dev", "test"))
    return table(
        folder / "rows.csv",
        [row | {"category": "" if row["split"] == "dev" else row["category"]} for row in rows],
    )


def one_file_a_split(folder: Path) -> Path:
    rows = _rows()
    table(folder / "train.csv", rows[:80])
    table(folder / "dev.csv", rows[80:100])
    table(folder / "test.csv", rows[100:])
    return folder


def time_stamps(folder: Path) -> Path:
    rows = [
        {"created_at": f"2024-03-01T{row // 60:02d}:{row % 60:02d}:00", **cells}
        for row, cells in enumerate(sorted_rows())
    ]
    return table(folder / "rows.csv", rows)


def cells_alone(folder: Path) -> Path:
    return table(folder / "rows.csv", [_cells(row) for row in range(ROWS)])


def gaps(folder: Path) -> Path:
    rows = []
    for row in range(ROWS):
        cells = _cells(row)
        for place, name in enumerate(("height", "material", "built")):
            if (row + place) % 4 == 0:
                cells[name] = ("", "NA", "null", "nan")[row // 4 % 4]
        rows.append(cells)
    return table(folder / "rows.csv", rows)


def price(folder: Path) -> Path:
    rows = []
    for row in range(ROWS):
        cells = _cells(row)
        base = {"gothic": 30, "modern": 10, "rustic": 20}[cells.pop("style")]
        rows.append({**cells, "price": f"{base + number('price', row).random():.2f}"})
    return table(folder / "rows.csv", rows)


def stars(folder: Path) -> Path:
    levels = {"card_arrival": 1, "exchange_rate": 3, "age_limit": 4, "terminate_account": 5}
    rows = [{"review": cells["text"], "stars": levels[cells["category"]]} for cells in _rows()]
    return json_lines(folder / "rows.jsonl", rows)


def score(folder: Path) -> Path:
    rows = [
        {"text": cells["text"], "score": round(len(cells["text"]) / 20 + row % 7 / 10, 2)}
        for row, cells in _each()
    ]
    return json_lines(folder / "rows.jsonl", rows)


def infinities(folder: Path) -> Path:
    rows = [
        {**cells, "ratio": float("inf") if row % 9 == 0 else row * 37 % 50 / 10}
        for row, cells in _each()
    ]
    return json_lines(folder / "rows.jsonl", rows)


def users_by_items(folder: Path) -> Path:
    names = ("user_id", "movie_id", "rating", "timestamp")
    rows = [dict(zip(names, row, strict=True)) for row in ratings()]
    return table(folder / "ratings.csv", rows)


SETS = {
    "index_and_counter": SmallSet("a data frame's index, a counter, sorted", index_and_counter),
    "ids": SmallSet("ids in odd order", ids),
    "repeated_ids": SmallSet("four ids stand twice", repeated_ids),
    "folds": SmallSet("a column fold", folds),
    "patients": SmallSet("five rows a patient", patients),
    "one_large_group": SmallSet("a group of two thirds", one_large_group),
    "own_splits": SmallSet("train, valid, test", own_splits, by_dvc=True),
    "numbered_splits": SmallSet("splits 0, 1, 2", numbered_splits),
    "no_dev_split": SmallSet("train and test alone", no_dev_split),
    "eval_split": SmallSet("train, eval, test", eval_split),
    "unlabelled_dev": SmallSet("splits given, no label in dev", unlabelled_dev),
    "one_file_a_split": SmallSet("train.csv, dev.csv, test.csv", one_file_a_split),
    "time_stamps": SmallSet("a time stamp, sorted by label", time_stamps),
    "cells_alone": SmallSet("numbers, names, dates and a class", cells_alone, by_dvc=True),
    "gaps": SmallSet("the same with empty cells", gaps),
    "price": SmallSet("a number to learn from cells", price, by_dvc=True),
    "stars": SmallSet("1, 3, 4 and 5 stars of a text", stars),
    "score": SmallSet("a number to learn from texts", score),
    "infinities": SmallSet("Infinity in JSON lines", infinities),
    "users_by_items": SmallSet("ratings of films by users", users_by_items),
}
