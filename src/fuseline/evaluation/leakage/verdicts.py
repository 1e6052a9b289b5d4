"""What the figures of the stage `leakage` mean, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fuseline.evaluation.leakage.shortcuts import SHORTCUTS
from fuseline.params.leakage import LeakageParams


@dataclass(frozen=True)
class Verdict:
    """One sentence: `look` asks for a person's judgement, `note` is worth knowing."""

    level: Literal["look", "note", "fine"]
    sentence: str


def verdicts(
    metrics: dict[str, Any], columns: dict[str, Any], params: LeakageParams
) -> list[Verdict]:
    """Sentences about the figures, the gravest first.

    Args:
        metrics: of the stage `leakage`.
        columns: `gain` of each column of the table, by name.
        params: section `leakage`, which says what is suspicious.
    """
    found = [
        *_about_neighbours(metrics["neighbours"], params),
        *_about_rules(metrics["rules"], params),
        *_about_shortcuts(metrics["shortcuts"], columns, params),
    ]
    order = ("look", "note", "fine")
    return sorted(found, key=lambda verdict: order.index(verdict.level))


def _about_neighbours(neighbours: dict[str, Any], params: LeakageParams) -> Iterator[Verdict]:
    for modality, figures in neighbours.items():
        rows, near = figures["rows"], figures["near"]
        least = getattr(params.near, modality)
        if not rows:
            continue
        if figures["equal"]:
            yield Verdict(
                "look",
                f"{figures['equal']} of {rows} test rows have the very same {modality} as a"
                " training row: the model may know them by heart.",
            )
        if near > figures["equal"]:
            yield Verdict(
                "look",
                f"{near} of {rows} test rows have a training row of nearly the same {modality}"
                f" (similarity {least:g} or more). See the closest pairs below.",
            )
        if figures["label_conflicts"]:
            yield Verdict(
                "look",
                f"{figures['label_conflicts']} of those pairs of nearly the same {modality} bear"
                " different labels: one of the two may be wrong.",
            )
        if not near:
            yield Verdict("fine", f"No test row comes near a training row by its {modality}.")


def _about_rules(rules: dict[str, Any], params: LeakageParams) -> Iterator[Verdict]:
    held = (
        f"{rules['suspicious']} single words or pairs of words tell the label with a precision of"
        f" {params.rule.precision:.0%} or more, and {rules['share']:.0%} of the test rows hold one."
    )
    if rules["share"] > params.rule.max_share:
        yield Verdict(
            "look",
            f"{held} If these words would not be there in use, the figures promise too much.",
        )
    elif rules["suspicious"]:
        yield Verdict("note", held)
    else:
        yield Verdict("fine", "No single word tells the label suspiciously well.")


def _about_shortcuts(
    shortcuts: dict[str, Any], columns: dict[str, Any], params: LeakageParams
) -> Iterator[Verdict]:
    told = {
        name: f"{one.title} ({shortcuts[name]['accuracy']:.0%})"
        for name, one in SHORTCUTS.items()
        if shortcuts[name]["gain"] >= params.shortcut_gain
    }
    seen = [words for name, words in told.items() if SHORTCUTS[name].seen]
    unseen = [words for name, words in told.items() if not SHORTCUTS[name].seen]
    telling = [
        f"“{name}” ({figures['accuracy']:.0%})"
        for name, figures in columns.items()
        if figures["gain"] >= params.shortcut_gain
    ]
    if seen:
        yield Verdict(
            "look",
            "A model can learn these facts in place of the content. Share of the labels that each"
            f" guesses by itself: {', '.join(seen)}.",
        )
    if telling:
        yield Verdict(
            "look",
            "Make sure that these columns are known before the label is. Share of the labels that"
            f" each guesses by itself: {', '.join(telling)}.",
        )
    if unseen:
        yield Verdict(
            "note",
            "A model does not see these facts; whoever splits, samples or renames rows should know."
            f" Share of the labels that each guesses by itself: {', '.join(unseen)}.",
        )
    if not told:
        yield Verdict("fine", "No fact beside the content guesses the label well by itself.")
