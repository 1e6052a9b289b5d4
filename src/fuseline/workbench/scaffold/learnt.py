"""Rules that find what is to be learnt: a label, a text to write, a number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fuseline.workbench.scaffold.guess import BY_NAME, MOST_LABELS, TARGET, Verdict
from fuseline.workbench.scaffold.names import is_answer, is_asked
from fuseline.workbench.scaffold.profile import Profile
from fuseline.workbench.scaffold.unclaimed import TEXT_WORDS

# More whole numbers than this are an amount rather than a class.
MOST_NUMBERED_LABELS = 20
LABEL_CHARACTERS = 60
# So many words on average make sentences, whatever their number of values.
SENTENCE_WORDS = 5.0
# Of columns that may be the label, one has no more values than these, or so many times the fewest;
# and so even are its values beside the most even.
USUAL_VALUES, MORE_VALUES, LEAST_EVENNESS = 10, 2, 0.5

_INTEGER = re.compile(r"\d+(\.0)?", re.ASCII)


def may_label(profile: Profile) -> bool:
    """Whether values are few, short and recur, and are neither amounts nor sentences."""
    few = profile.repeats and profile.distinct <= MOST_LABELS
    if profile.distinct > MOST_NUMBERED_LABELS and (profile.looks_numeric or _tells(profile)):
        return False
    return few and profile.mean_characters <= LABEL_CHARACTERS


def _tells(profile: Profile) -> bool:
    """Whether cells are sentences, which may stand in several rows: a premise, a question."""
    return is_wordy(profile) and profile.mean_words >= SENTENCE_WORDS


def is_wordy(profile: Profile) -> bool:
    """Whether cells are of several words on average."""
    return profile.is_text and profile.mean_words >= TEXT_WORDS and not profile.looks_dated


def labels(left: list[Profile]) -> Iterator[Verdict]:
    """The column of few words that is likeliest a label; else the last of few numbers.

    A number of a name that models are asked for speaks first where it comes after all words.
    """
    few = [profile for profile in left if may_label(profile) and not profile.looks_dated]
    words = [profile for profile in few if not profile.looks_numeric]
    asked = [profile for profile in left if profile.is_numeric and is_asked(profile.name)]
    numbers = [profile for profile in few if profile.match(_INTEGER)]
    places = {profile.name: place for place, profile in enumerate(left)}
    if words and asked and places[asked[-1].name] > places[words[-1].name]:
        words = []
    by_name = [profile for profile in numbers if is_asked(profile.name)]
    # Among numbers that are amounts, a few that are not last are an amount too, such as of rooms.
    amounts = [profile for profile in left if profile.is_numeric]
    last = [profile for profile in numbers if profile.name == amounts[-1].name]
    for profile in (_likeliest(words) or by_name or last)[-1:]:
        yield Verdict(profile, "label", f"{profile.distinct} different values")


def _likeliest(words: Sequence[Profile]) -> list[Profile]:
    """Those of few values, and the most even, in their order: the last is the label by custom, but
    names of many things, or one thing again and again, come last too."""
    fewest = min((profile.distinct for profile in words), default=0)
    most = max(USUAL_VALUES, MORE_VALUES * fewest)
    few = [profile for profile in words if profile.distinct <= most]
    most_even = max((profile.evenness for profile in few), default=0.0)
    return [profile for profile in few if profile.evenness >= LEAST_EVENNESS * most_even]


def answers(left: list[Profile], *, has_text: bool) -> Iterator[Verdict]:
    """A text that is to be written, by its name, where another can be read for it."""
    free = [profile for profile in left if _is_free_text(profile)]
    for profile in [profile for profile in free if is_answer(profile.name)][:1]:
        if has_text or len(free) > 1:
            yield Verdict(profile, f"{TARGET}text", f"a text, and {BY_NAME} what to write")


def _is_free_text(profile: Profile) -> bool:
    measured = profile.looks_numeric or profile.looks_dated
    return profile.is_text and not measured and not profile.repeats and profile.distinct > 1


def number_targets(left: list[Profile], *, has_media: bool) -> Iterator[Verdict]:
    """The number to learn, where nothing is a label: by its name, alone, or the last of a table."""
    numbers = [profile for profile in left if profile.is_numeric]
    asked = [profile for profile in numbers if is_asked(profile.name)]
    has_content = has_media or any(map(is_wordy, left))
    if asked:
        yield Verdict(asked[-1], f"{TARGET}number", f"numbers, and {BY_NAME} what to learn")
    elif len(numbers) == 1:
        yield Verdict(numbers[0], f"{TARGET}number", "the only numbers, and nothing is a label")
    elif numbers and not has_content:
        yield Verdict(numbers[-1], f"{TARGET}number", "the last numbers, and nothing is a label")
