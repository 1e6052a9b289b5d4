"""Which emoji are variants of one another, read from their code points.

Variants share a `group` and so a split: a model that has seen a woman running should not be
tested on a man running. The rules follow Unicode Technical Standard 51 (emoji sequences).
"""

from __future__ import annotations

from collections.abc import Sequence

VARIATION_SELECTOR = "FE0F"
JOINER = "200D"
SKIN_TONES = frozenset({"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"})
PERSON, CHILD, OLDER_PERSON = "1F9D1", "1F9D2", "1F9D3"

# Joined to an emoji, these change who is shown or which way they face, not what is shown.
_MODIFIERS = frozenset({"2640", "2642", "27A1"})

# Emoji of one gender, and the emoji that names the same thing for any gender.
_NEUTRAL = {
    "1F468": PERSON,  # man
    "1F469": PERSON,  # woman
    "1F466": CHILD,  # boy
    "1F467": CHILD,  # girl
    "1F474": OLDER_PERSON,  # old man
    "1F475": OLDER_PERSON,  # old woman
    "1F934": "1FAC5",  # prince, as person with crown
    "1F478": "1FAC5",  # princess
    "1F930": "1FAC4",  # pregnant woman, as pregnant person
    "1FAC3": "1FAC4",  # pregnant man
    "1F936": "1F385",  # Mrs. Claus, as Santa Claus
    "1F57A": "1F483",  # man dancing, as woman dancing: there is no neutral one
    "1F46B": "1F46D",  # woman and man holding hands, as people holding hands
    "1F46C": "1F46D",  # men holding hands
    "1F6B9": "1F6BB",  # men's room, as restroom
    "1F6BA": "1F6BB",  # women's room
}

# Sequences that spell out, person by person, what one code point also shows.
_SPELT_OUT = {
    (PERSON, "1F384"): "1F385",  # Mx Claus
    (PERSON, "1F91D", PERSON): "1F46D",  # people holding hands
    (PERSON, "2764", PERSON): "1F491",  # couple with heart
    (PERSON, "2764", "1F48B", PERSON): "1F48F",  # kiss
    (PERSON, "1F430", PERSON): "1F46F",  # people with bunny ears
    (PERSON, "1FAEF", PERSON): "1F93C",  # people wrestling
    ("1FAF1", "1FAF2"): "1F91D",  # handshake of two skin tones
}
_FAMILY = "1F46A"


def without(code: Sequence[str], *dropped: str) -> tuple[str, ...]:
    """Code points other than `dropped`, in order."""
    return tuple(point for point in code if point not in dropped)


def variant_group(code: Sequence[str]) -> str:
    """Name of the group of an emoji: the code points that all its variants share.

    Skin tone, gender and facing direction make no difference; a family is a family whoever
    its members are.

    Args:
        code: code points in upper-case hexadecimal.
    """
    plain = without(code, VARIATION_SELECTOR, JOINER, *SKIN_TONES)
    if len(plain) > 1:
        plain = without(plain, *_MODIFIERS) or plain
    neutral = tuple(_NEUTRAL.get(point, point) for point in plain)
    if len(neutral) > 1 and set(neutral) <= {PERSON, CHILD}:
        return _FAMILY
    return _SPELT_OUT.get(neutral, "-".join(neutral))
