"""Noises on a text: pure functions of the text, a strength, and a generator.

A strength is the share of the characters that a noise can change (of words for `synonyms`) which
it does change: on average exactly, in one text rounded up or down by chance. At 0 the text stays as
it is. No noise takes a text's last character that is not white space, and all but `whitespace`
leave the number of words as it is, words being what white space parts.

Random characters are drawn from the text itself, so that they stay within its script.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeVar

Noise = Callable[[str, float, random.Random], str]
Item = TypeVar("Item")

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_WORD = re.compile(r"[^\W\d_]+")

# Latin letters that have a double in the Cyrillic or Greek script, after the confusables of
# Unicode's UTS 39.
LOOK_ALIKES = dict(
    zip(
        "acehijlopsxy" + "ABCEHIJKMOPSTXYZ",
        "\u0430\u0441\u0435\u04bb\u0456\u0458\u04cf\u043e\u0440\u0455\u0445\u0443"
        "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a"
        "\u041c\u041e\u0420\u0405\u0422\u0425\u04ae\u0396",
        strict=True,
    )
)


def noise_of(example_id: str, name: str, seed: int) -> random.Random:
    """The generator of one noise on one row: the same whatever other rows there are."""
    # A text seed is hashed by a fixed rule, unlike a tuple.
    return random.Random(f"{seed}:{name}:{example_id}")


def insert(text: str, strength: float, rng: random.Random) -> str:
    """A random character behind some characters."""
    chosen, alphabet = _chosen(_visible(text), strength, rng), _alphabet(text)
    return _rebuilt(text, {place: text[place] + rng.choice(alphabet) for place in chosen})


def delete(text: str, strength: float, rng: random.Random) -> str:
    """Some characters gone; each word keeps one at least."""
    chosen = set(_chosen(_visible(text), strength, rng))
    for word in re.finditer(r"\S+", text):
        if chosen.issuperset(range(*word.span())):
            chosen.remove(rng.randrange(*word.span()))
    return _rebuilt(text, dict.fromkeys(chosen, ""))


def swap(text: str, strength: float, rng: random.Random) -> str:
    """Some characters exchanged with the next of their word; none takes part twice."""
    pairs = [p for p, q in pairwise(_visible(text)) if q == p + 1 and text[p] != text[q]]
    wanted = _count(len(pairs), strength, rng)
    changed: dict[int, str] = {}
    for place in rng.sample(pairs, len(pairs)):
        if wanted and place not in changed and place + 1 not in changed:
            changed |= {place: text[place + 1], place + 1: text[place]}
            wanted -= 1
    return _rebuilt(text, changed)


def substitute(text: str, strength: float, rng: random.Random) -> str:
    """Random other characters in place of some."""
    alphabet = _alphabet(text)
    return _rebuilt(
        text,
        {
            place: rng.choice([other for other in alphabet if other != text[place]])
            for place in _chosen(_visible(text), strength, rng)
        },
    )


def keyboard(text: str, strength: float, rng: random.Random) -> str:
    """Some Latin letters replaced by a neighbour on a QWERTY keyboard."""
    places = [place for place in _visible(text) if text[place] in KEYBOARD]
    chosen = _chosen(places, strength, rng)
    return _rebuilt(text, {place: rng.choice(KEYBOARD[text[place]]) for place in chosen})


def whitespace(text: str, strength: float, rng: random.Random) -> str:
    """At some borders between two characters: a space within a word, or none between two words."""
    inner = range(1, len(text) - 1)
    gone = [place for place in inner if text[place].isspace()]
    visible = _visible(text)
    parted = [place for previous, place in pairwise(visible) if place == previous + 1]
    chosen = _chosen(sorted([*gone, *parted]), strength, rng)
    return _rebuilt(text, {p: "" if text[p].isspace() else f" {text[p]}" for p in chosen})


def look_alikes(text: str, strength: float, rng: random.Random) -> str:
    """Some Latin letters replaced by ones of another script that look the same."""
    places = [place for place in _visible(text) if text[place] in LOOK_ALIKES]
    return _rebuilt(text, {p: LOOK_ALIKES[text[p]] for p in _chosen(places, strength, rng)})


def synonyms(
    text: str, strength: float, rng: random.Random, neighbours: Mapping[str, Sequence[str]]
) -> str:
    """Some words replaced by a neighbour.

    Args:
        text, strength, rng: as of the other noises.
        neighbours: words by word in lower case; a word without any stays.
    """
    words = [word for word in _WORD.finditer(text) if neighbours.get(word[0].lower())]
    changed: dict[int, str] = {}
    for word in _chosen(words, strength, rng):
        start, end = word.span()
        changed |= dict.fromkeys(range(start, end), "")
        changed[start] = rng.choice(neighbours[word[0].lower()])
    return _rebuilt(text, changed)


def words_of(text: str) -> list[str]:
    """The words that `synonyms` looks up, in lower case."""
    return [word[0].lower() for word in _WORD.finditer(text)]


def with_neighbours(neighbours: Mapping[str, Sequence[str]]) -> dict[str, Noise]:
    """Every noise by its name in the params."""
    return {**CHARACTER_NOISES, "synonyms": partial(synonyms, neighbours=neighbours)}


def _next_keys() -> dict[str, str]:
    """By letter those beside it, above and below, each row being half a key to the right of the
    row above."""
    found: dict[str, str] = {}
    for row, keys in enumerate(_ROWS):
        above = _ROWS[row - 1] if row else ""
        below = _ROWS[row + 1] if row + 1 < len(_ROWS) else ""
        for place, key in enumerate(keys):
            beside = keys[max(0, place - 1) : place] + keys[place + 1 : place + 2]
            near = beside + above[place : place + 2] + below[max(0, place - 1) : place + 1]
            found |= {key: near, key.upper(): near.upper()}
    return found


KEYBOARD = _next_keys()


def _visible(text: str) -> list[int]:
    """Places of all characters but white space."""
    return [place for place, character in enumerate(text) if not character.isspace()]


def _alphabet(text: str) -> list[str]:
    """What random characters are drawn from: at least two."""
    found = sorted({character for character in text if not character.isspace()})
    return found if len(found) > 1 else [*string.ascii_lowercase]


def _count(number: int, strength: float, rng: random.Random) -> int:
    """`number * strength`, rounded up or down by chance so that its mean is exact."""
    return min(number, int(number * strength + rng.random()))


def _chosen(items: Sequence[Item], strength: float, rng: random.Random) -> list[Item]:
    return rng.sample(items, _count(len(items), strength, rng))


def _rebuilt(text: str, changed: Mapping[int, str]) -> str:
    return "".join(changed.get(place, character) for place, character in enumerate(text))


CHARACTER_NOISES: dict[str, Noise] = {
    "insert": insert,
    "delete": delete,
    "swap": swap,
    "substitute": substitute,
    "keyboard": keyboard,
    "whitespace": whitespace,
    "look_alikes": look_alikes,
}
