"""What the curves of a training run say that its best epoch hides."""

from __future__ import annotations

from fuseline.learning.training.history import WENT_BACK, History

# Losses are of a few units at most: logarithms of classes, or squares in standard deviations.
HUGE = 100.0
# Times the lowest loss before, and of a loss that counts at all.
RISE = 10.0
# Of a share, from its best epoch to the last.
FALL = 0.05
# The shares that tell of a fall, the first that a run has.
SHARES = ("clean_and_robust", "accuracy", "right")
DEV = "eval_"


def remarks_on(stage: str, history: History) -> list[str]:
    """Sentences on development losses that explode, on a score that falls behind its best epoch,
    and on training that went back to that; each with the key to change. Empty for an ordinary run.

    Args:
        stage: whose section of the params holds `training`.
        history: figures by epoch, `epoch` among them, development ones as `eval_<name>`.
    """
    rates = f"{stage}.training.learning_rate"
    if stage != "pretrain":
        rates += f" and {stage}.training.encoder_learning_rate"
    names = sorted({name for figures in history for name in figures if _is_dev_loss(name)})
    found = [_explosion(name, history, rates) for name in names]
    found += [_return(history, stage, rates), _fall(history, stage, rates)]
    return [sentence for sentence in found if sentence]


def told_remarks(stage: str, history: History) -> list[str]:
    """The same, printed for whoever watches the stage."""
    found = remarks_on(stage, history)
    for sentence in found:
        print(f"{stage}: {sentence}", flush=True)
    return found


def _is_dev_loss(name: str) -> bool:
    return name.startswith(DEV) and name.endswith("loss")


def _explosion(name: str, history: History, rates: str) -> str | None:
    """Of the epoch with the largest loss."""
    worst, lowest = None, float("inf")
    for figures in history:
        if name not in figures:
            continue
        loss = figures[name]
        exploded = loss > HUGE or loss > RISE * max(1.0, lowest)
        if exploded and (worst is None or loss > worst[name]):
            worst = figures
        lowest = min(lowest, loss)
    if worst is None:
        return None
    found, where = _number(worst[name]), f"epoch {worst['epoch']:.0f}"
    return (
        f"The development {_called(name)} is {found} in {where} (lowest {_number(lowest)}): it"
        f" should be a few units at most. Lower {rates}, and look for rows whose values lie far"
        " from all others."
    )


def _fall(history: History, stage: str, rates: str) -> str | None:
    name = next((DEV + share for share in SHARES if history and DEV + share in history[0]), None)
    if name is None or stage == "pretrain":
        return None
    best = max(history, key=lambda figures: figures[name])
    last = history[-1]
    # Figures are stored to six decimals.
    if best[name] - last[name] < FALL - 1e-6:
        return None
    return (
        f"The development {_called(name)} fell from {best[name]:.3f} in epoch {best['epoch']:.0f}"
        f" to {last[name]:.3f} in epoch {last['epoch']:.0f}; the best epoch is kept. Lower {rates},"
        f" or {stage}.training.num_epochs; of few development rows it may be chance."
    )


def _return(history: History, stage: str, rates: str) -> str | None:
    epochs = [f"{figures['epoch']:.0f}" for figures in history if WENT_BACK in figures]
    if not epochs:
        return None
    return (
        f"After epoch {' and '.join(epochs)} the development score lay more than"
        f" {stage}.training.max_fall below its best: training went on from the best epoch's"
        f" weights, at half the rates. Lower {rates}."
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e9 else f"{value:.4g}"


def _called(name: str) -> str:
    return name.removeprefix(DEV).replace("_", " ")
