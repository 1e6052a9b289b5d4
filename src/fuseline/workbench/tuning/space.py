"""The search space: held to the params before any trial, and asked for by Optuna."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuseline.errors import ConfigError
from fuseline.params.whole import check, set_keys
from fuseline.pipeline.lock_file import leaves
from fuseline.registry import suggestion
from fuseline.workbench.tuning.plan import Choices, Domain, FloatRange, IntRange, Plan

if TYPE_CHECKING:
    from optuna import Trial


def check_space(plan: Plan, path: Path, params: dict[str, Any], read: list[str]) -> None:
    """Refuse keys that no stage reads and values that the params' own check refuses.

    Each end of each range and each choice is tried alone, all other params as they are: a
    combination that is wrong only together is found when its trial starts.

    Args:
        plan: what to search.
        path: where it stands, for the messages.
        params: content of `params.yaml`.
        read: keys of `params.yaml`, or sections, that the stage and those before it read.

    Raises:
        ConfigError: every such key and value.
    """
    problems = [*_unknown(plan, params)]
    if not problems:
        problems = [*_without_effect(plan, read), *_refused(plan, params)]
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{path}: invalid space\n{lines}")


def propose(trial: Trial, plan: Plan) -> dict[str, Any]:
    """Values of all keys; those that the trial was given before stay."""
    return {key: _proposed(trial, key, domain) for key, domain in plan.space.items()}


def _proposed(trial: Trial, key: str, domain: Domain) -> Any:
    if isinstance(domain, Choices):
        return trial.suggest_categorical(key, domain.choices)
    if isinstance(domain, IntRange):
        return trial.suggest_int(key, domain.low, domain.high)
    log = not isinstance(domain, FloatRange)
    return trial.suggest_float(key, domain.low, domain.high, log=log)


def _unknown(plan: Plan, params: dict[str, Any]) -> Iterator[str]:
    keys = [key for key, _ in leaves(params)]
    for key in plan.space:
        if key not in keys:
            yield f"{key}: params.yaml has no such value.{suggestion(key, keys)}"


def _without_effect(plan: Plan, read: list[str]) -> Iterator[str]:
    for key in plan.space:
        if not any(key == one or key.startswith(f"{one}.") for one in read):
            yield (
                f"{key}: no stage up to '{plan.stage}' reads it, so that all trials would be the"
                " same. Leave it out."
            )


def _refused(plan: Plan, params: dict[str, Any]) -> Iterator[str]:
    for key, domain in plan.space.items():
        for value in _ends(domain):
            tried = copy.deepcopy(params)
            set_keys(tried, {key: value})
            try:
                check(tried)
            except ConfigError as error:
                yield f"{key}: the value {value!r} is refused: {error}"


def _ends(domain: Domain) -> list[Any]:
    return domain.choices if isinstance(domain, Choices) else [domain.low, domain.high]


def shown(value: Any) -> str:
    """A value as text."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
