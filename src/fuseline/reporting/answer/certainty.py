"""How sure the figures are, and the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fuseline.reporting.answer.measured import Measured, Model, Said, headline, of

CAVEAT = (
    "Intervals say how far other test rows would move a figure. Another split of the data or"
    " another seed of training can move it too, which one run does not show."
)


def certainty(models: Sequence[Model]) -> list[Said]:
    """Sentences on the models that the choice speaks for."""
    found = [
        Said(said.level, of(model, models, said.words), said.part)
        for model in models
        for said in (*_interval(model), *_calibration(model), *_selective(model))
    ]
    return [*found, Said("note", CAVEAT)]


def _interval(model: Model) -> Iterator[Said]:
    own = Measured.of(model.metrics, headline(model.metrics))
    if own is not None and own.low is not None and own.high is not None and own.is_share:
        yield Said(
            "note",
            f"on {model.metrics['rows']} test rows the 95\u202f% interval of {own.called} is"
            f" {100 * (own.high - own.low):.1f} points wide.",
            "scores",
        )


def _calibration(model: Model) -> Iterator[Said]:
    error = Measured.of(model.metrics, "ece")
    if error is not None:
        yield Said(
            "note",
            f"confidence and share of right answers lie {error} apart on average.",
            "trust",
        )


def _selective(model: Model) -> Iterator[Said]:
    found = model.metrics.get("selective")
    if not found:
        return
    target = f"{100 * found['target_risk']:g}\u202f%"
    if found["threshold"] > 1:
        words = f"no confidence is high enough for at most {target} wrong development answers."
        yield Said("look", words, "trust")
        return
    if not found["clean"]["coverage"]:
        words = f"no test row reaches the confidence that keeps wrong answers to {target}."
        yield Said("look", words, "trust")
        return
    answered, wrong = (f"{100 * found['clean'][name]:.1f}\u202f%" for name in ("coverage", "risk"))
    kept = found["clean"]["risk"] <= found["target_risk"]
    yield Said(
        "note" if kept else "look",
        f"where its confidence is high enough for at most {target} wrong answers on the development"
        f" rows, it answers {answered} of the test rows, {wrong} of them wrongly"
        f"{'' if kept else ': more than was asked'}.",
        "trust",
    )
