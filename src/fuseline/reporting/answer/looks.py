"""What a person should look at: the data, leaks, shortcuts, parts of the rows, foreign rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fuseline.data.notices import MANY_REFUSED, Notice
from fuseline.evaluation.leakage.verdicts import Verdict
from fuseline.reporting.answer.measured import Measured, Model, Said, of
from fuseline.reporting.figures import points

Figures = Mapping[str, Any]
LEVELS = ("look", "note", "fine")
# Of rows of another set: fewer of them than this share told apart is worth a look.
WELL_TOLD = 0.9
# Grave findings on leaks that are said here; their part of the page has all.
MAX_LEAKS = 4


def looks(
    models: Sequence[Model],
    ingest: Figures,
    notices: Iterable[Notice],
    leaks: Iterable[Verdict],
    stress: Figures,
) -> list[Said]:
    """Sentences, the gravest first.

    Args:
        models: that the choice speaks for.
        ingest: metrics of the stage.
        notices: on the data.
        leaks: on leakage and shortcuts.
        stress: metrics of the stage.
    """
    found = [
        *(Said("look", str(notice), "data") for notice in notices),
        *_quarantine(ingest),
        *_leaks(leaks),
        *(
            Said(said.level, of(model, models, said.words), said.part)
            for model in models
            for said in (*_gains(model), *_slices(model), *_labels(model), *_foreign(model, stress))
        ),
    ]
    return sorted(found, key=lambda said: LEVELS.index(said.level))


def _quarantine(ingest: Figures) -> Iterator[Said]:
    """What the notices do not say, which speak of many refused rows."""
    rows, refused = ingest["rows_in"], ingest["rows_quarantined"]
    if not refused:
        yield Said("fine", f"None of {rows} rows was refused.", "data")
    elif refused <= MANY_REFUSED * rows:
        share = f"{100 * refused / rows:.1f}\u202f%"
        yield Said("note", f"{refused} of {rows} rows ({share}) lie in quarantine.", "data")


def _leaks(leaks: Iterable[Verdict]) -> list[Said]:
    """The gravest, and how many more there are."""
    found = [Said(leak.level, leak.sentence, "leakage") for leak in leaks]
    grave = [said for said in found if said.level == "look"]
    rest = [said for said in found if said.level != "look"]
    more = len(grave) - MAX_LEAKS
    told = [Said("look", f"{more} more findings of this kind.", "leakage")] if more > 0 else []
    return [*grave[:MAX_LEAKS], *told, *rest]


def _gains(model: Model) -> Iterator[Said]:
    """Modalities that do harm, and those of which no gain is shown."""
    gains = {name: of["accuracy"] for name, of in model.metrics.get("gains", {}).items()}
    for name, gain in sorted(gains.items()):
        ends = f"{points(gain['value'])} points [{points(gain['low'])}, {points(gain['high'])}]"
        if gain["high"] < 0:
            yield Said(
                "look",
                f"{name} does harm: {ends} of accuracy beside the same model without it. Compare a"
                " run that leaves it out of base.modalities.",
                "scores",
            )
        elif gain["low"] <= 0:
            yield Said("note", f"no gain of {name} is shown: {ends} of accuracy.", "scores")
    if gains and all(gain["low"] > 0 for gain in gains.values()):
        yield Said("fine", "every modality adds to the others.", "scores")


def _slices(model: Model) -> Iterator[Said]:
    """The slice that most surely lies below the whole."""
    name = next((one for one in ("accuracy", "right") if one in model.metrics), None)
    whole = Measured.of(model.metrics, name) if name else None
    found = [
        (column, one)
        for column, parts in sorted(model.metrics.get("slices", {}).items())
        if len(parts["slices"]) > 1
        for one in parts["slices"]
        if name in one["intervals"]
    ]
    if not found or whole is None or name is None:
        return
    measured = [Measured.of(one, name) for _, one in found]
    place = min(range(len(found)), key=lambda at: _high(measured[at]))
    column, worst = found[place]
    own = measured[place]
    if own is None or not whole.beats(own):
        words = (
            f"none of {len(found)} parts of the test rows has {whole.called} with an"
            " interval below that of all rows."
        )
        yield Said("fine", words, "trust")
        return
    value = "not stated" if worst["value"] is None else f"“{worst['value']}”"
    yield Said(
        "look",
        f"of the {worst['rows']} rows whose {column} is {value}, {whole.called} is"
        f" {own}, below {whole} of all rows; the lowest of {len(found)} parts.",
        "trust",
    )


def _labels(model: Model) -> Iterator[Said]:
    """The label that is most surely found less often than labels are."""
    whole = Measured.of(model.metrics, "accuracy")
    labels = {
        label: Measured.of_rows("accuracy", figures["recall"], round(figures["support"]))
        for label, figures in model.metrics.get("per_class", {}).items()
        if figures["support"]
    }
    if whole is None or len(labels) < 2:
        return
    worst = min(labels, key=lambda label: _high(labels[label]))
    if not whole.beats(labels[worst]):
        words = "no label is found surely less often than all are together."
        yield Said("fine", words, "labels")
        return
    rows = round(model.metrics["per_class"][worst]["support"])
    yield Said(
        "look",
        f"of the {rows} rows of the label “{worst}” {labels[worst]} are found, below"
        f" {whole} of all rows; the lowest of {len(labels)} labels.",
        "labels",
    )


def _high(measured: Measured | None) -> float:
    return 1.0 if measured is None or measured.high is None else measured.high


def _foreign(model: Model, stress: Figures) -> Iterator[Said]:
    """How well rows of another set are told from test rows."""
    found = stress.get("out_of_distribution", {}).get(model.name)
    if not found or not found["rows"] or not found["other_rows"]:
        return
    scores = {name: figures for name, figures in found.items() if isinstance(figures, Mapping)}
    best = max(scores, key=lambda name: scores[name]["auroc"])
    told = scores[best]
    rows = found["other_rows"]
    passed = Measured.of_rows("accuracy", told["fpr_at_95_tpr"], rows)
    yield Said(
        "fine" if told["auroc"] >= WELL_TOLD else "look",
        f"by its {best.replace('_', ' ')} a test row scores above a row of another"
        f" set in {100 * told['auroc']:.1f}\u202f% of pairs (50 by chance). Where 95\u202f% of the"
        f" test rows pass, so do {passed} of {rows} foreign ones.",
        "stress",
    )
