"""What breaks the models: the attack, the worst noise on each modality, the worst one gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fuseline.reporting.answer.choice import ROBUST
from fuseline.reporting.answer.measured import Measured, Model, Said, headline

Figures = Mapping[str, Any]
MEDIA = ("image", "audio")
PIXELS = "image_pixel"


@dataclass(frozen=True)
class Condition:
    """Something that rows go through.

    Attributes:
        label: in the chart.
        words: at the beginning of a sentence.
        part: of the page that has more.
        figures: by model name the score on these rows as they are, None where every row that was
            right fell and nothing else tells it, and then.
    """

    label: str
    words: str
    part: str
    figures: Mapping[str, tuple[Measured | None, Measured]]


def conditions(models: Sequence[Model], stress: Figures, judge: Model) -> list[Condition]:
    """What rows go through, of noises and modalities the worst for one model.

    Args:
        models: all.
        stress: metrics of the stage `stress`.
        judge: the model that says which is the worst.
    """
    score = "accuracy" if stress["task"] == "classification" else "right"
    found: list[Condition | None] = [*_attack(models), *_pixels(models)]
    found += [_text(models, stress, judge, score)]
    found += [_media(name, models, stress, judge, score) for name in MEDIA]
    found += [_missing(models, stress, judge, score)]
    return [one for one in found if one is not None and judge.name in one.figures]


def harm(models: Sequence[Model], found: Sequence[Condition]) -> list[Said]:
    """A sentence a condition, on the models that the choice speaks for: a loss is one where the
    intervals do not overlap."""
    return [_said(models, condition) for condition in found]


def _said(models: Sequence[Model], condition: Condition) -> Said:
    pairs = {
        model.title: condition.figures[model.name]
        for model in models
        if model.name in condition.figures
    }
    lost = {title for title, pair in pairs.items() if _is_lost(*pair)}
    figures = "; ".join(
        f"{f'{title} ' if len(pairs) > 1 else ''}{_beside(*pair)}"
        + (" (the intervals overlap)" if lost and title not in lost else "")
        for title, pair in pairs.items()
    )
    measured = all(one and one.low is not None for pair in pairs.values() for one in pair)
    why = "the intervals overlap" if measured else "without all intervals"
    end = "." if lost else f": {why}, no loss is shown."
    return Said("look" if lost else "note", f"{condition.words}: {figures}{end}", condition.part)


def _is_lost(clean: Measured | None, then: Measured) -> bool:
    return clean is None or clean.beats(then)


def _beside(clean: Measured | None, then: Measured) -> str:
    if clean is None:
        return f"right on {then}, every row that was right fell"
    return f"right on {then}, as they are on {clean}"


def _attack(models: Sequence[Model]) -> Iterator[Condition]:
    found = {
        model.name: (_clean_under_attack(model), robust)
        for model in models
        if (robust := Measured.of(model.metrics, ROBUST))
    }
    if found:
        epsilon = models[0].metrics["robustness"]["epsilon"]
        spaces = ", ".join(f"{space} {value:g}" for space, value in sorted(epsilon.items()))
        words = f"An attack on embeddings and features ({spaces})"
        yield Condition("attacked", words, "robustness", found)


def _clean_under_attack(model: Model) -> Measured | None:
    """The share of right rows without the attack: of tasks whose figure is another, by the share
    that stood and the share that fell, which does not tell where all fell."""
    name = headline(model.metrics)
    if name == "accuracy":
        return Measured.of(model.metrics, name)
    fallen, robust = model.metrics["attack_success_rate"], model.metrics[ROBUST]
    if fallen >= 1:
        return None
    return Measured.of_rows("right", min(1.0, robust / (1 - fallen)), model.metrics["rows"])


def _pixels(models: Sequence[Model]) -> Iterator[Condition]:
    found, steps = {}, 0.0
    for model in models:
        pixels = model.metrics.get("robustness", {}).get(PIXELS)
        if pixels and pixels["rows"]:
            steps = pixels["epsilon"][PIXELS]
            found[model.name] = (
                Measured.of_rows("accuracy", pixels["accuracy"], pixels["rows"]),
                Measured.of_rows(ROBUST, pixels[ROBUST], pixels["rows"]),
            )
    if found:
        words = f"An attack on the pictures themselves, {steps:g}/255 a pixel"
        yield Condition("pictures attacked", words, "robustness", found)


def _text(models: Sequence[Model], stress: Figures, judge: Model, score: str) -> Condition | None:
    by_model = stress.get("text", {})
    own = by_model.get(judge.name)
    points = [
        (name, place)
        for name, of in (own or {}).items()
        if name != "clean"
        for place in range(len(of))
    ]
    if not own or not points:
        return None
    name, place = min(points, key=lambda point: own[point[0]][point[1]][score])
    spelt, strength = name.replace("_", " "), own[name][place]["strength"]
    rows = stress["rows"]
    return Condition(
        f"text: {spelt} {strength:g}",
        f"Noise on the text, the worst of {len(points)} tried ({spelt}, strength {strength:g})",
        "stress",
        {
            model.name: (
                Measured.of_rows(score, by_model[model.name]["clean"][score], rows),
                Measured.of_rows(score, by_model[model.name][name][place][score], rows),
            )
            for model in models
            if name in by_model.get(model.name, {})
        },
    )


def _media(
    modality: str, models: Sequence[Model], stress: Figures, judge: Model, score: str
) -> Condition | None:
    by_model = stress.get(modality, {})
    own = by_model.get(judge.name)
    if not own or not own.get("rows"):
        return None
    corruptions = own["corruptions"]
    points = [(name, place) for name, of in corruptions.items() for place in range(len(of))]
    if not points:
        return None
    name, place = min(points, key=lambda point: corruptions[point[0]][point[1]][score])
    spelt, severity = name.replace("_", " "), corruptions[name][place]["severity"]
    what = {"image": "Corrupted pictures", "audio": "Corrupted sounds"}[modality]
    return Condition(
        f"{modality}: {spelt} {severity:g}",
        f"{what}, the worst of {len(points)} tried ({spelt}, severity {severity:g})",
        "stress",
        {
            model.name: (
                Measured.of_rows(score, of["clean"][score], of["rows"]),
                Measured.of_rows(score, of["corruptions"][name][place][score], of["rows"]),
            )
            for model in models
            if (of := by_model.get(model.name))
        },
    )


def _missing(
    models: Sequence[Model], stress: Figures, judge: Model, score: str
) -> Condition | None:
    by_model = stress.get("modalities", {})
    own = {
        name: of
        for name, of in by_model.get(judge.name, {}).items()
        if name != "contradictory" and of["rows"]
    }
    # Of rows that hold nothing else, nothing would be left.
    if len(own) < 2:
        return None
    worst = min(own, key=lambda name: own[name]["missing"][score])
    return Condition(
        f"without {worst}",
        f"A modality gone, the worst of {len(own)} ({worst})",
        "stress",
        {
            model.name: (
                Measured.of_rows(score, of[worst]["present"][score], of[worst]["rows"]),
                Measured.of_rows(score, of[worst]["missing"][score], of[worst]["rows"]),
            )
            for model in models
            if (of := by_model.get(model.name))
        },
    )
