"""Of models of recommendations: what breaks their lists, and what to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fuseline.data.notices import MANY_REFUSED, Notice
from fuseline.reporting.answer.lists import PART
from fuseline.reporting.answer.looks import LEVELS, looks
from fuseline.reporting.answer.measured import Measured, Model, Said
from fuseline.reporting.rivals import JUDGED_BY, Ends, Rival, rivals_of

# Times that pushing an item may multiply the lists that it is in, before it asks for a look.
MANY_TIMES = 2.0


def harm_of_lists(models: Sequence[Model]) -> list[Said]:
    """What makes lists worse: whoever changes an item's content, and people and items of whom
    little is known. A sentence each, on the models that the choice speaks for, whose people and
    items are the same."""
    return [*_promotion(models), *_one_event(models), *_new(models), *_cold(models)]


def _promotion(models: Sequence[Model]) -> Iterator[Said]:
    found = {model.title: model.metrics.get("promotion") for model in models}
    parts = {title: part for title, part in found.items() if part and part["items"]}
    if not parts or not all(part["people"] for part in parts.values()):
        return
    first = next(iter(parts.values()))
    after, before = (
        _each({title: _share(part[f"listed_{when}"]) for title, part in parts.items()})
        for when in ("after", "before")
    )
    many = any(part["listed_after"] > MANY_TIMES * part["listed_before"] for part in parts.values())
    words = (
        f"An item whose content is pushed towards what people want is in {after} of the lists of"
        f" ten, as it is in {before}: mean of {first['items']:.0f} items, each pushed by itself,"
        f" over {first['people']:.0f} people; no interval was measured."
    )
    yield Said("look" if many else "note", words, PART)


def _one_event(models: Sequence[Model]) -> Iterator[Said]:
    name = "one_event_users"
    found = _beside(models, name)
    if not found:
        return
    apart = {}
    for model in models:
        best = _best(rivals_of(model.metrics), name).figures
        if "one_event_difference" in best:
            apart[model.title] = Ends.of(best["one_event_difference"])
    differences = _each({title: str(ends) for title, ends in apart.items()})
    lost = any(ends.standing == "below" for ends in apart.values())
    end = f"; the difference is {differences}" if apart else ""
    people = models[0].metrics[name]["people"]
    words = f"Of {people:.0f} people with one event {found}{end}."
    yield Said("look" if lost else "note", words, PART)


def _new(models: Sequence[Model]) -> Iterator[Said]:
    name = "new_users"
    found = _beside(models, name)
    if not found:
        return
    lost = any(
        model.metrics[name][JUDGED_BY] < _best(rivals_of(model.metrics), name).figures[name]
        for model in models
    )
    people = models[0].metrics[name]["people"]
    words = f"Of {people:.0f} people without any event {found}; no interval was measured."
    yield Said("look" if lost else "note", words, PART)


def _beside(models: Sequence[Model], people: str) -> str:
    """The headline of some people, and of the best rival of them; empty where they are none."""
    rivals = rivals_of(models[0].metrics)
    if not rivals or not all(model.metrics[people]["people"] for model in models):
        return ""
    own = {
        model.title: str(Measured(JUDGED_BY, model.metrics[people][JUDGED_BY])) for model in models
    }
    best = _best(rivals, people)
    other = Measured(JUDGED_BY, best.figures[people])
    return f"{other.called} is {_each(own)}, that of their best rival, {best.title}, {other}"


def _best(rivals: Sequence[Rival], people: str) -> Rival:
    """The best rival of some people; of equal ones the one that is better of all."""
    return max(rivals, key=lambda rival: rival.figures[people])


def _cold(models: Sequence[Model]) -> Iterator[Said]:
    found = {model.title: model.metrics["cold_items"] for model in models}
    first = next(iter(found.values()))
    if not first["people"]:
        return
    held, alone = (
        _each({title: _share(cold[f"recall_among_{kind}"]) for title, cold in found.items()})
        for kind in ("all", "cold")
    )
    lost = any(cold["recall_among_all"] <= cold["random_among_all"] for cold in found.values())
    words = (
        f"Of {first['items']:.0f} items without events, {first['people']:.0f} people took some."
        f" Lists of all items hold {held} of these, {_share(first['random_among_all'])} by chance;"
        f" lists of such items alone {alone}, {_share(first['random_among_cold'])} by chance."
    )
    yield Said("look" if lost else "note", words, PART)


def _each(told: Mapping[str, str]) -> str:
    """What is told of each model, which is named only where there are several."""
    if len(told) == 1:
        return next(iter(told.values()))
    return ", ".join(f"{words} ({title})" for title, words in told.items())


def _share(value: float) -> str:
    return f"{100 * value:.1f}\u202f%"


def looks_of_lists(
    models: Sequence[Model],
    ingest: Mapping[str, Any],
    notices: Iterable[Notice],
    stress: Mapping[str, Any],
) -> list[Said]:
    """Sentences, the gravest first; as `looks`, but of events, and of no leaks between rows: items
    are cut by nothing."""
    found = [*looks(models, ingest, notices, (), stress), *_events(ingest)]
    found.append(
        Said(
            "note",
            "Lists are tested by one cut by time. What is said of leakage is of the rows of each"
            " split and their labels, not of events.",
            "leakage",
        )
    )
    return sorted(found, key=lambda said: LEVELS.index(said.level))


def _events(ingest: Mapping[str, Any]) -> Iterator[Said]:
    events = ingest.get("interactions")
    if not events:
        return
    rows, refused = events["rows_in"], events["rows_quarantined"]
    if refused:
        counts = sorted(events["quarantined"].items(), key=lambda one: (-one[1], one[0]))
        why = ", ".join(f"{reason} {count}" for reason, count in counts if count)
        words = f"{refused} of {rows} events ({_share(refused / rows)}) were refused: {why}."
        yield Said("look" if refused > MANY_REFUSED * rows else "note", words, PART)
    test = events["splits"]["test"]
    yield Said(
        "note",
        f"{test['new_users']} of the {test['users']} people of the test events and"
        f" {test['new_items']} of their {test['items']} items have no event before.",
        PART,
    )
