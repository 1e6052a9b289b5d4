"""What to search: a YAML file, checked whole before the first trial."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from fuseline.config import Section, parse_section, read_yaml
from fuseline.errors import ConfigError
from fuseline.params.base import Count

# Stages that train, and so have development figures; each writes `metrics/<stage>.json`.
STAGES = ("pretrain", "finetune", "adversarial_finetune")
_METRIC = re.compile(r"metrics/(?P<stage>[\w/@]+)\.json:(?P<key>[\w.]+)")
_DEVELOPMENT_KEYS = {
    "pretrain": re.compile(r"loss|objectives\.\w+\.\w+"),
    "finetune": re.compile(r"dev\.\w+"),
    "adversarial_finetune": re.compile(r"dev\.\w+"),
}

# DVC reads values as Hydra does, which garbles backslashes, what is no printable ASCII and `${`.
_TEXT = re.compile(r"[ -#%-\[\]-~]*")


def _survives_dvc(choice: bool | int | float | str | None) -> bool | int | float | str | None:
    if isinstance(choice, str) and not _TEXT.fullmatch(choice):
        raise ValueError(
            "DVC cannot set this text. Fine are the letters, digits, signs and spaces of ASCII but"
            " for \\ and $"
        )
    return choice


Choice = Annotated[bool | int | float | str | None, AfterValidator(_survives_dvc)]


class _Range(Section):
    low: float
    high: float

    @model_validator(mode="after")
    def _not_empty(self) -> _Range:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, but {self.low:g} is not below {self.high:g}")
        return self


class IntRange(_Range):
    """Whole numbers, both ends among them."""

    kind: Literal["int"]
    low: int
    high: int


class FloatRange(_Range):
    kind: Literal["float"]


class LogRange(_Range):
    """Evenly by order of magnitude."""

    kind: Literal["log"]
    low: Annotated[float, Field(gt=0)]


class Choices(Section):
    kind: Literal["categorical"]
    choices: Annotated[list[Choice], Field(min_length=2)]


Domain = Annotated[IntRange | FloatRange | LogRange | Choices, Field(discriminator="kind")]


class NoPruner(Section):
    kind: Literal["none"]


class MedianPruner(Section):
    """Ends a trial whose best epoch so far is worse than the median of earlier trials at that
    epoch, once `startup_trials` have ended, and never within the first `warmup_epochs`."""

    kind: Literal["median"]
    startup_trials: Annotated[int, Field(ge=1)]
    warmup_epochs: Annotated[int, Field(ge=0)]


class HalvingPruner(Section):
    """Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934): of the trials that reach
    epoch `min_epochs` the best 1 / `reduction_factor` go on, and so at each of its multiples by
    that factor."""

    kind: Literal["successive_halving"]
    min_epochs: Count
    reduction_factor: Annotated[int, Field(ge=2)]


Pruner = Annotated[NoPruner | MedianPruner | HalvingPruner, Field(discriminator="kind")]


class Plan(Section):
    """One study: what a trial may set, and what makes one better than another."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    metric: str
    direction: Literal["maximize", "minimize"]
    trials: Count
    seed: Annotated[int, Field(ge=0)]
    pruner: Pruner
    space: Annotated[dict[str, Domain], Field(min_length=1)]

    @field_validator("metric")
    @classmethod
    def _of_the_development_split(cls, metric: str) -> str:
        found = _METRIC.fullmatch(metric)
        if found is None:
            raise ValueError("metric must be a file and a key, as metrics/finetune.json:dev.loss")
        stage, key = found["stage"], found["key"]
        if stage not in STAGES:
            raise ValueError(
                f"metrics/{stage}.json is no figure of the development split. Choosing params by"
                " the test split would spend it: its figures would flatter the choice. Use a"
                f" development figure of {', '.join(STAGES[:-1])} or {STAGES[-1]}"
            )
        if not _DEVELOPMENT_KEYS[stage].fullmatch(key):
            raise ValueError(
                f"'{key}' is no development figure of {stage}. Expected"
                f" {'loss or objectives.<name>.loss' if stage == 'pretrain' else 'dev.<name>'}"
            )
        return metric

    @property
    def stage(self) -> str:
        """The stage that writes the metric."""
        return self.metrics_file.removeprefix("metrics/").removesuffix(".json")

    @property
    def metrics_file(self) -> str:
        return self.metric.partition(":")[0]

    @property
    def metric_key(self) -> str:
        return self.metric.partition(":")[2]

    @property
    def epoch_figure(self) -> str:
        """What the metric is called among the figures of an epoch."""
        key = self.metric_key.removeprefix("dev.").removeprefix("objectives.")
        return key.replace(".", "_")

    def identity(self) -> dict[str, Any]:
        """All that must stay as it is from the first trial to the last."""
        return self.model_dump(exclude={"trials"})


def read_plan(path: Path) -> Plan:
    """Read and check a plan by itself; `space.check_space` holds it to the params.

    Raises:
        ConfigError: listing every wrong key with its path.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: not found. docs/experimenting.md has an example to start from.")
    return parse_section({"tune": read_yaml(path)}, "tune", Plan, path)
