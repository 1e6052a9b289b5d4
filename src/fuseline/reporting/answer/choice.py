"""Which model to use, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fuseline.params.base import MODALITIES
from fuseline.reporting.answer.measured import Level, Measured, Model, Said, headline, joined

# Of a paired test: differences that chance alone makes so rarely count.
LEVEL = 0.05
ROBUST = "robust_accuracy"
Paired = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """Which model to use.

    Attributes:
        verdict: in a sentence.
        models: that it speaks for, one or more.
        reasons: for it.
    """

    verdict: str
    models: list[Model]
    reasons: list[Said]


@dataclass(frozen=True)
class Comparison:
    """The better of two models, None where the figures do not tell; and what they say."""

    better: Model | None
    reasons: list[Said]


def choose(models: Sequence[Model], paired: Paired, majority: float) -> Choice:
    """The model to use, by what stands under attack and by what is right without one.

    A model is better under attack where the intervals do not overlap and no check of the attack
    failed; without one, where the exact McNemar test on the same rows says so, or, if there is
    none, where the intervals do not overlap.

    Args:
        models: one or two, the plain one first.
        paired: figures of the test by pair of models, as the stage `stress` gives them.
        majority: accuracy of always answering the commonest label; 0 where there is none.
    """
    if len(models) == 1:
        choice = Choice(f"{models[0].title} is the only model.", [*models], [])
    else:
        choice = _of_two(models[0], models[1], paired)
    if weak := _weak(choice.models, majority):
        return Choice(weak, choice.models, choice.reasons)
    beside = _besides(choice.models)
    return Choice(choice.verdict, choice.models, [*choice.reasons, *beside])


def _of_two(first: Model, other: Model, paired: Paired) -> Choice:
    attacked, clean = _attacked(first, other), _clean(first, other, paired)
    reasons = [*attacked.reasons, *clean.reasons]
    found = [one.better for one in (attacked, clean) if one.better]
    if len({model.name for model in found}) > 1:
        verdict = (
            f"It depends: {found[0].title} where inputs may be attacked, {found[1].title} where"
            " they are not."
        )
        return Choice(verdict, found, reasons)
    if found:
        return Choice(f"Use the model {found[0].title}.", found[:1], reasons)
    names = f"{first.title} and {other.title}"
    return Choice(f"Take either: nothing measured tells {names} apart.", [first, other], reasons)


def _attacked(first: Model, other: Model) -> Comparison:
    one, two = (Measured.of(model.metrics, ROBUST) for model in (first, other))
    if one is None or two is None:
        return Comparison(None, [])
    better = _better(first, other, one, two)
    said = f"Under attack {first.title} is right on {one} of the rows, {other.title} on {two}"
    reasons = [Said("note", f"{said}{_overlap(one, two)}.", "robustness")]
    failed = [model.title for model in (first, other) if not passed_audit(model.metrics)]
    if failed:
        words = f"The attack on {joined(failed)} failed a check, so that this decides nothing here."
        return Comparison(None, [*reasons, Said("look", words, "robustness")])
    return Comparison(better, reasons)


def _clean(first: Model, other: Model, paired: Paired) -> Comparison:
    name = headline(first.metrics)
    one, two = (Measured.of(model.metrics, name) for model in (first, other))
    if one is None or two is None:
        return Comparison(None, [])
    said = f"Without an attack: {one.called} {one} of {first.title}, {two} of {other.title}"
    reasons = [Said("note", f"{said}{_overlap(one, two)}.", "scores")]
    found = paired.get(f"{first.name}_and_{other.name}")
    if not found:
        return Comparison(_better(first, other, one, two), reasons)
    better = None
    if found["p_value"] < LEVEL:
        better = other if found["difference"] > 0 else first
    return Comparison(better, [*reasons, _tested(found, better)])


def _tested(found: Mapping[str, Any], better: Model | None) -> Said:
    chance = "p < 0.001" if found["p_value"] < 0.001 else f"p = {found['p_value']:.2g}"
    test = f"the exact McNemar test ({chance})"
    rows = f"On the same {found['rows']} rows"
    if better is None:
        return Said("note", f"{rows} {test} finds no difference between the two.", "stress")
    points = 100 * abs(found["difference"])
    words = f"{rows} {test} finds {better.title} right more often, by {points:.1f} points."
    return Said("note", words, "stress")


def _better(first: Model, other: Model, one: Measured, two: Measured) -> Model | None:
    if one.beats(two):
        return first
    return other if two.beats(one) else None


def _overlap(one: Measured, two: Measured) -> str:
    """What the intervals say, as the end of a sentence."""
    if None in (one.low, two.low):
        return "; no intervals were measured"
    apart = one.beats(two) or two.beats(one)
    return "; the intervals do not overlap" if apart else "; the intervals overlap"


def passed_audit(metrics: Mapping[str, Any]) -> bool:
    """Whether no check of the attacks on a model failed."""
    robustness = metrics.get("robustness", {})
    audits = [of.get("audit", {}) for of in (robustness, robustness.get("image_pixel", {}))]
    return all(audit.get("passed", True) for audit in audits)


def _weak(models: Sequence[Model], majority: float) -> str:
    """A verdict against all of them; empty where there is none."""
    found = [Measured.of(model.metrics, "accuracy") for model in models]
    known = [one for one in found if one is not None and one.low is not None]
    if not majority or not known or any(one.low > majority for one in known if one.low is not None):
        return ""
    share = f"{100 * majority:.1f}\u202f%"
    names = joined([model.title for model in models])
    return (
        f"Rely on none yet: to answer the commonest label always is right on {share} of the test"
        f" rows, and {names} {'is' if len(models) == 1 else 'are'} not shown to do better."
    )


@dataclass(frozen=True)
class _Beside:
    """What a figure beside the models' says, but for which models it is said of."""

    level: Level
    start: str
    end: str


def _besides(models: Sequence[Model]) -> list[Said]:
    """The models beside the linear one, and beside the best of their modalities alone: what holds
    for both is said once."""
    found: dict[_Beside, list[str]] = {}
    for model in models:
        for beside in _beside(model):
            found.setdefault(beside, []).append(model.title)
    return [
        Said(one.level, f"{one.start} {joined(titles)}{one.end}", "scores")
        for one, titles in found.items()
    ]


def _beside(model: Model) -> Iterator[_Beside]:
    name = headline(model.metrics)
    own = Measured.of(model.metrics, name)
    twin = model.metrics.get("twin", {}).get(name)
    if own is None:
        return
    if twin is not None:
        yield _versus(own, twin, "A linear model of the same frozen features")
    there = model.metrics.get("modalities", MODALITIES)
    alone = {part: model.metrics.get(f"{part}_only", {}).get(name) for part in there}
    known = {part: value for part, value in alone.items() if value is not None}
    if len(known) > 1:
        pick = min if own.is_error else max
        best = pick(known, key=lambda part: known[part])
        yield _versus(own, known[best], f"The best modality alone, {best},")


def _versus(own: Measured, value: float, what: str) -> _Beside:
    """A figure with an interval beside one without."""
    said = f"{what} reaches {Measured(own.name, value)}"
    inside = own.holds(value)
    if inside is None:
        return _Beside("note", f"{said}; no interval was measured of", ".")
    if inside:
        end = ": no gain over it is shown."
        return _Beside("look", f"{said}, within the interval of", end)
    if own.is_better_than(value):
        return _Beside("fine", f"{said}, worse than all of the interval of", ".")
    return _Beside("look", f"{said}, better than all of the interval of", ".")
