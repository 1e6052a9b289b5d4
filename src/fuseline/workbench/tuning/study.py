"""The study: which values to try next, what came of them, and how it goes on after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fuseline.errors import ConfigError, ContractError
from fuseline.pipeline.locks import held
from fuseline.workbench.tuning.plan import HalvingPruner, MedianPruner, Plan
from fuseline.workbench.tuning.space import propose, shown

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

FOLDER = Path(".tune")
_IDENTITY, _BASELINE = "plan", "baseline"
# Of a trial that failed.
REASON = "reason"
# So many trials that fail one after the other have one cause, and more would not mend it.
MAX_FAILURES = 3

# Told an epoch and the metric there; answers whether the trial is worth no more.
Watch = Callable[[int, float], bool]


@dataclass(frozen=True)
class Finished:
    """A trial that ran to its end: the metric, and the metric by epoch."""

    value: float
    epochs: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pruned:
    """A trial that was ended early."""


@dataclass(frozen=True)
class Failed:
    """A trial that gave no figure, and why."""

    reason: str


Outcome = Finished | Pruned | Failed


class Runner(Protocol):
    """Runs trials."""

    def run(self, name: str, values: Mapping[str, Any], watch: Watch) -> Outcome:
        """Run the experiment `name`, or take what is there if it ran before."""
        ...


def trial_name(study: str, number: int) -> str:
    """What a trial's experiment is called."""
    return f"tune-{study}-{number}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock: trials of two searches would be in each other's way.

    Raises:
        ContractError: another living process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / "lock", "another `fuseline tune` is at work here. Wait for it or stop it."):
        yield


def open_study(folder: Path, plan: Plan, baseline: str) -> Study:
    """The study of a plan, begun or gone on with.

    Args:
        folder: of the study, for its state.
        plan: what to search.
        baseline: the commit that all trials begin at.

    Raises:
        ConfigError: the study was begun with another plan or at another commit.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{(folder / 'study.db').resolve()}",
        study_name=plan.study,
        direction=plan.direction,
        pruner=_pruner(plan),
        load_if_exists=True,
    )
    begun = study.user_attrs
    if _BASELINE not in begun:
        study.set_user_attr(_IDENTITY, plan.identity())
        study.set_user_attr(_BASELINE, baseline)
        return study
    asked = json.loads(json.dumps(plan.identity()))
    changed = sorted(key for key in asked if asked[key] != begun[_IDENTITY][key])
    another = "Give `study` another name, or remove"
    if changed:
        raise ConfigError(
            f"study '{plan.study}' was begun with another {', '.join(changed)}; only `trials` may"
            f" change. {another} {folder}."
        )
    if begun[_BASELINE] != baseline:
        raise ConfigError(
            f"study '{plan.study}' was begun at commit {begun[_BASELINE][:10]}, but"
            f" {baseline[:10]} is checked out: trials of different code, params or data cannot be"
            f" compared. Check that commit out, or: {another[0].lower()}{another[1:]} {folder}."
        )
    return study


def search(study: Study, plan: Plan, runner: Runner, say: Callable[[str], None]) -> None:
    """Run trials until the plan's number of them has ended.

    A trial that was at work when an earlier search ended is run again with the same values. What
    is proposed depends on the seed, the trial's number and the trials before it, not on where a
    search was interrupted.

    Args:
        study: from `open_study`.
        plan: what to search.
        runner: runs a trial.
        say: takes one line per trial.

    Raises:
        ContractError: `MAX_FAILURES` trials in a row failed.
    """
    failures = 0
    while (trial := _next_trial(study, plan)) is not None:
        values = propose(trial, plan)
        outcome = runner.run(trial_name(plan.study, trial.number), values, _watch(trial))
        _tell(study, trial, outcome)
        say(_line(study, plan, trial, outcome))
        failures = failures + 1 if isinstance(outcome, Failed) else 0
        if failures == MAX_FAILURES:
            raise ContractError(f"{failures} trials in a row failed. Their logs say why.")


def _next_trial(study: Study, plan: Plan) -> Trial | None:
    """The trial that was at work, else a new one, else None."""
    import optuna

    trials = study.get_trials(deepcopy=False)
    running = [one for one in trials if one.state == optuna.trial.TrialState.RUNNING]
    number = running[0].number if running else len(trials)
    if number >= plan.trials:
        return None
    study.sampler = _sampler(plan.seed, number)
    return optuna.Trial(study, running[0]._trial_id) if running else study.ask()


def _sampler(seed: int, number: int) -> BaseSampler:
    """Tree-structured Parzen estimators (Bergstra et al. 2011), seeded anew for every trial: its
    own random state is lost with the process."""
    import numpy as np
    import optuna

    (own,) = np.random.SeedSequence([seed, number]).generate_state(1)
    return optuna.samplers.TPESampler(seed=int(own))


def _pruner(plan: Plan) -> BasePruner:
    import optuna

    pruner = plan.pruner
    if isinstance(pruner, MedianPruner):
        # Optuna counts steps from 0, epochs are counted from 1.
        return optuna.pruners.MedianPruner(pruner.startup_trials, pruner.warmup_epochs + 1)
    if isinstance(pruner, HalvingPruner):
        return optuna.pruners.SuccessiveHalvingPruner(
            min_resource=pruner.min_epochs, reduction_factor=pruner.reduction_factor
        )
    return optuna.pruners.NopPruner()


def _watch(trial: Trial) -> Watch:
    seen = set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def watch(epoch: int, value: float) -> bool:
        if epoch in seen:
            return False
        seen.add(epoch)
        trial.report(value, epoch)
        return trial.should_prune()

    return watch


def _tell(study: Study, trial: Trial, outcome: Outcome) -> None:
    import optuna

    states = optuna.trial.TrialState
    if isinstance(outcome, Pruned):
        study.tell(trial, state=states.PRUNED)
    elif isinstance(outcome, Failed):
        trial.set_user_attr(REASON, outcome.reason)
        study.tell(trial, state=states.FAIL)
    else:
        watch = _watch(trial)
        for epoch, value in sorted(outcome.epochs.items()):
            watch(epoch, value)
        study.tell(trial, outcome.value)


def _line(study: Study, plan: Plan, trial: Trial, outcome: Outcome) -> str:
    values = ", ".join(f"{key} {shown(value)}" for key, value in trial.params.items())
    return f"{trial_name(plan.study, trial.number)}: {_told(study, plan, outcome)}; {values}"


def _told(study: Study, plan: Plan, outcome: Outcome) -> str:
    if isinstance(outcome, Pruned):
        return "pruned"
    if isinstance(outcome, Failed):
        return f"failed, {outcome.reason}"
    best = study.best_trial
    return (
        f"{plan.metric_key} {outcome.value:.4f} (best {best.value:.4f},"
        f" {trial_name(plan.study, best.number)})"
    )
