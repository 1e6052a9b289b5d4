"""Sentences and table columns of the synthetic source, each telling one digit from 0 to 63."""

from __future__ import annotations

import random
from datetime import date, timedelta

# One word per class; `ingest.synthetic.num_classes` is at most their number.
WORDS = """
anchor apple arrow badge basket bell bottle bridge brush button candle carpet castle chair clock
coin crown desk drum engine feather fence flag flute fork garden glove guitar hammer harp hat helmet
jacket kettle key kite ladder lamp leaf lemon lock magnet map mirror needle onion oven paddle pencil
piano pillow pocket ribbon rope saddle scarf shovel spoon statue table tent ticket violin wheel
""".split()  # noqa: SIM905
_PLACES = ("harbour", "market", "station", "museum", "village", "river", "library", "kitchen")
_QUALITIES = ("old", "new", "small", "heavy", "dusty", "shiny", "broken", "familiar")
_SENTENCES = (
    "We saw a {quality} {word} near the {place}.",
    "The {word} by the {place} looked {quality}.",
    "Somebody left a {word} at the {place}, a {quality} one.",
    "At the {place} there is a {quality} {word}.",
    "Is that {quality} thing in the {place} a {word}?",
    "No {word} in the {place} is as {quality} as this.",
)

# One, two or four words for each modality.
_RETELLINGS = ("{thing}", "{modality} {thing}", "the {modality} is {thing}")

_MATERIALS = ("glass", "metal", "paper", "wood")


def sentence(word: int, rng: random.Random) -> str:
    """A sentence about the word."""
    return rng.choice(_SENTENCES).format(
        word=WORDS[word], place=rng.choice(_PLACES), quality=rng.choice(_QUALITIES)
    )


def tags(text: str) -> str:
    """A tag for each word of such a sentence: its thing, its place, or neither."""
    bare = (word.strip(".,?") for word in text.split())
    return " ".join("B-THING" if w in WORDS else "B-PLACE" if w in _PLACES else "O" for w in bare)


def retelling(things: dict[str, str], rng: random.Random) -> str:
    """The thing of each modality in one word, two or four, the same number for all."""
    form = rng.choice(_RETELLINGS)
    return ", ".join(form.format(modality=name, thing=thing) for name, thing in things.items())


def record(digit: int, rng: random.Random) -> dict[str, str | None]:
    """Columns that tell the digit together: its bits lie in length, material, day and weight.

    Up to four classes are told by length and material; the others then vary at random.
    """
    long, material, quarter, heavy = (
        digit % 2,
        digit // 2 % 4,
        digit // 8 % 4,
        digit // 32,
    )
    start = date(2020 + rng.randrange(5), 1 + 3 * quarter, 1)
    return {
        "length": f"{rng.uniform(60, 90) if long else rng.uniform(10, 40):.1f}",
        "material": _MATERIALS[material],
        "day": (start + timedelta(days=rng.randrange(88))).isoformat(),
        "weight": f"{rng.uniform(5, 9) if heavy else rng.uniform(1, 4):.2f}",
    }
