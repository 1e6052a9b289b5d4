"""Of models of recommendations: which to use, beside its rivals, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fuseline.reporting.answer.choice import Choice
from fuseline.reporting.answer.measured import Level, Measured, Model, Said, joined, of
from fuseline.reporting.figures import title
from fuseline.reporting.rivals import JUDGED_BY, Rival, Standing, rivals_of

PART = "recommendations"
NOBODY = (
    "Nothing can be said of the lists: nobody who had taken something before the cut by time took"
    " something new after it."
)
CAVEAT = (
    "Intervals say how far other people would move a figure. Another cut by time or another seed of"
    " training can move it too, which one run does not show."
)
# The best first.
STANDINGS: tuple[Standing, ...] = ("above", "level with", "below")
LEVELS: dict[Standing, Level] = {"above": "fine", "level with": "look", "below": "look"}


def choose_by_lists(models: Sequence[Model]) -> Choice:
    """The model to use, and where it stands beside the best of its rivals.

    A model is better than the other where the intervals of NDCG@10 do not overlap; else the one
    that stands better beside the best rival: above it, level with it, or below, by whether the
    interval of the paired difference leaves out 0. If that is the same, either will do.

    Args:
        models: one or two, the plain one first.
    """
    measured = {model.name: Measured.of(model.metrics, JUDGED_BY) for model in models}
    best = {model.name: rivals[0] for model in models if (rivals := rivals_of(model.metrics))}
    if len(best) < len(models) or None in measured.values():
        return Choice(NOBODY, [*models], [])
    chosen = _chosen(models, best)
    reasons = [*_apart(models), *(_beside(model, models, best[model.name]) for model in models)]
    return Choice(_verdict(models, chosen, best[chosen[0].name]), chosen, reasons)


def _chosen(models: Sequence[Model], best: dict[str, Rival]) -> list[Model]:
    left = [one for one in models if not any(_beats(other, one) for other in models)]
    places = {one.name: STANDINGS.index(best[one.name].difference.standing) for one in left}
    return [one for one in left if places[one.name] == min(places.values())]


def _beats(one: Model, other: Model) -> bool:
    first, second = (Measured.of(model.metrics, JUDGED_BY) for model in (one, other))
    return first is not None and second is not None and first.beats(second)


def _verdict(models: Sequence[Model], chosen: Sequence[Model], best: Rival) -> str:
    titles = [model.title for model in chosen]
    standing = best.difference.standing
    if standing == "below":
        names = joined([model.title for model in models])
        verb = "is" if len(models) == 1 else "are"
        return f"Rely on none yet: {names} {verb} below {best.title}, the best rival."
    beside = f"{standing} {best.title}, the best rival"
    end = "." if standing == "above" else ": no gain over it is shown."
    if len(models) == 1:
        return f"{titles[0]} is the only model, and {beside}{end}"
    if len(chosen) == 1:
        return f"Use the model {titles[0]}. It is {beside}{end}"
    told = f"{title(JUDGED_BY)} does not tell {joined(titles)} apart"
    return f"Take either: {told}. Both are {beside}{end}"


def _apart(models: Sequence[Model]) -> Iterator[Said]:
    if len(models) < 2:
        return
    told = joined([f"{Measured.of(one.metrics, JUDGED_BY)} of {one.title}" for one in models])
    differ = any(_beats(one, other) for one in models for other in models)
    end = "the intervals do not overlap" if differ else "the intervals overlap"
    yield Said("note", f"{title(JUDGED_BY)} is {told}; {end}.", PART)


def _beside(model: Model, models: Sequence[Model], best: Rival) -> Said:
    difference = best.difference
    setting = f" ({best.setting})" if best.setting else ""
    words = (
        f"{difference.standing} {best.title}{setting}, which has {Measured(JUDGED_BY, best.score)}:"
        f" on the same {people(model)} people {title(JUDGED_BY)} differs by {difference}."
        f"{_others(model)}"
    )
    return Said(LEVELS[difference.standing], of(model, models, words), PART)


def _others(model: Model) -> str:
    """How many of the rivals it is above."""
    rivals = rivals_of(model.metrics)
    above = sum(rival.difference.standing == "above" for rival in rivals)
    return f" It is above {above} of {len(rivals)} rivals."


def people(model: Model) -> int:
    """For how many people lists were made."""
    return int(model.metrics["people"])


def certainty_of_lists(models: Sequence[Model]) -> list[Said]:
    """Sentences on the models that the choice speaks for."""
    found = [
        Said(said.level, of(model, models, said.words), said.part)
        for model in models
        for said in _width(model)
    ]
    rivals = rivals_of(models[0].metrics)
    if rivals:
        words = (
            f"The best of {len(rivals)} rivals is chosen by the same people's lists that are"
            " compared, which favours it a little. Each rival's setting is chosen by the"
            " development events."
        )
        found.append(Said("note", words, PART))
    return [*found, Said("note", CAVEAT)]


def _width(model: Model) -> Iterator[Said]:
    own = Measured.of(model.metrics, JUDGED_BY)
    if own is not None and own.low is not None and own.high is not None:
        words = (
            f"of {people(model)} people the 95\u202f% interval of {own.called} is"
            f" {100 * (own.high - own.low):.1f} points wide."
        )
        yield Said("note", words, PART)
