"""What a study found: a table, a plot and how to go on."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuseline.contracts.durable import write_text
from fuseline.workbench.terminal import aligned
from fuseline.workbench.tuning.plan import Plan
from fuseline.workbench.tuning.space import shown
from fuseline.workbench.tuning.study import REASON, trial_name

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

PLOT, TABLE = "summary.svg", "trials.csv"
BEST_SHOWN = 5
# Fewer say nothing of which param matters.
MIN_TRIALS_FOR_IMPORTANCE = 8
# By Optuna's state.
WORDS = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}


def conclude(study: Study, plan: Plan, folder: Path) -> str:
    """Write the plot and the table of all trials; return the best ones and what to do with them."""
    ended = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    words = [WORDS[trial.state.name] for trial in ended]
    counts = ", ".join(f"{words.count(word)} {word}" for word in WORDS.values() if word in words)
    head = f"study {plan.study}: {len(ended)} of {plan.trials} trials ended"
    head += f" ({counts})" if counts else ""
    if "finished" not in words:
        return head
    from fuseline.workbench.tuning.plot import study_plot

    importance = _importance(study, plan, words.count("finished"))
    write_text(folder / TABLE, _csv(plan, ended))
    write_text(folder / PLOT, study_plot(_points(plan, ended), plan.metric, importance))
    matters = ", ".join(f"{key} {share:.0%}" for key, share in importance.items())
    best = trial_name(plan.study, study.best_trial.number)
    return "\n".join(
        [
            head,
            *_best(plan, ended),
            *([f"what it depended on: {matters}"] if matters else []),
            f"all trials: {folder / TABLE}; plot: {folder / PLOT}",
            f"to take the best over: dvc exp apply {best}, then dvc repro",
        ]
    )


def _best(plan: Plan, ended: list[FrozenTrial]) -> list[str]:
    # Optuna gives a pruned trial its last epoch's figure for a value.
    finished = [trial for trial in ended if WORDS[trial.state.name] == "finished"]
    finished.sort(key=lambda trial: trial.value or 0.0, reverse=plan.direction == "maximize")
    return aligned(
        [
            ["trial", plan.metric_key, *plan.space],
            *(
                [
                    trial_name(plan.study, trial.number),
                    f"{trial.value:.4f}",
                    *(shown(trial.params[key]) for key in plan.space),
                ]
                for trial in finished[:BEST_SHOWN]
            ),
        ]
    )


def _importance(study: Study, plan: Plan, finished: int) -> dict[str, float]:
    """Share by param, largest first (fANOVA; Hutter et al. 2014); empty where it says nothing."""
    if finished < MIN_TRIALS_FOR_IMPORTANCE or len(plan.space) < 2:
        return {}
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    try:
        return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=plan.seed))
    except RuntimeError:  # The metric never varied: it depended on nothing.
        return {}


def _points(plan: Plan, ended: list[FrozenTrial]) -> list[dict[str, Any]]:
    """Rows of the plot; a pruned trial stands where it was when it ended."""
    best: float | None = None
    better = max if plan.direction == "maximize" else min
    points = []
    for trial in ended:
        word, value = WORDS[trial.state.name], trial.value
        if value is None:
            continue
        if word == "finished":
            best = value if best is None else better(best, value)
        points.append({"trial": trial.number, "state": word, "value": value, "best": best})
    return points


def _csv(plan: Plan, ended: list[FrozenTrial]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", plan.metric, "epochs", *plan.space, "reason"])
    for trial in ended:
        writer.writerow(
            [
                trial_name(plan.study, trial.number),
                WORDS[trial.state.name],
                "" if trial.value is None else trial.value,
                len(trial.intermediate_values),
                *(trial.params.get(key) for key in plan.space),
                trial.user_attrs.get(REASON, ""),
            ]
        )
    return text.getvalue()
