"""Events of a few people with a few items, without any file or as two."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fuseline.data.interactions import DAY, Interactions

START = 1_000_000

FILMS, PEOPLE, FILM_DAYS = 60, 50, 60
FIRST = 1_364_690_142
WORDS = ["lake", "storm", "ant", "tower", "song", "river", "clock", "moon", "glass", "wolf"]


def interactions(
    rows: list[tuple[int, int, float]], *, dev_day: float, test_day: float
) -> Interactions:
    """Of (person, item, day), in any order."""
    ordered = sorted(rows, key=lambda row: row[2])
    user, item, day = (np.array(column) for column in zip(*ordered, strict=True))
    return Interactions(
        [f"u{number}" for number in range(int(user.max()) + 1)],
        user.astype(np.int64),
        item.astype(np.int64),
        (START + day * DAY).astype(np.int64),
        np.full(len(ordered), np.nan, np.float32),
        int(START + dev_day * DAY),
        int(START + test_day * DAY),
    )


def tastes(num_users: int = 40, num_items: int = 24, days: int = 40, seed: int = 0) -> Interactions:
    """People of two tastes, each taking items of its half, one a day at most."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(num_users):
        half = user % 2
        items = half + 2 * random.permutation(num_items // 2)
        days_taken = np.sort(random.choice(days, len(items), replace=False))
        rows += [(user, int(i), float(d)) for i, d in zip(items, days_taken, strict=True)]
    return interactions(rows, dev_day=days * 0.7, test_day=days * 0.85)


def lay_films(raw: Path) -> None:
    """Films of two genres, and people who take those of one; a line of nobody's, and one twice."""
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    genres = ["Drama", "Comedy|Romance"]
    films = [
        f"{film}::{WORDS[film % 10]} of the {WORDS[film // 10]} ({2000 + film % 13})::"
        f"{genres[film % 2]}"
        for film in range(FILMS)
    ]
    (raw / "movies.dat").write_text("\n".join(films), encoding="utf-8")
    events = []
    for person in range(PEOPLE):
        taken = person % 2 + 2 * random.permutation(FILMS // 2)[:12]
        days = np.sort(random.choice(FILM_DAYS, 12, replace=False))
        events += [
            f"p{person}::{film}::{random.integers(1, 11)}::{FIRST + int(day) * DAY}"
            for film, day in zip(taken, days, strict=True)
        ]
    events += [events[0], f"::1::5::{FIRST}", f"p1::999::5::{FIRST}"]
    (raw / "ratings.dat").write_text("\n".join(events), encoding="utf-8")
