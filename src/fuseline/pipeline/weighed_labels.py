"""Weights of labels, held against the labels that rows have: by the first stage that sees these,
so that no model is pre-trained for a name that is none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fuseline.contracts import EXAMPLES, read_table
from fuseline.errors import ConfigError
from fuseline.registry import suggestion

EXAMPLES_FOLDER = Path("data/examples")


def check_weights(content: dict[str, Any], examples: Path) -> None:
    """Refuse weights by label of which one is of no row.

    Args:
        content: the params, valid ones.
        examples: the examples table.

    Raises:
        ConfigError: naming the weight's key and the labels that there are.
    """
    section = content["finetune"]
    if not isinstance(section["class_weights"], Mapping):
        return
    # The params have one such task where weights go by label.
    target = next(task["target"] for task in section["tasks"] if task["kind"] == "classification")
    table = read_table(examples, EXAMPLES, "examples", ["label", "targets"])
    if target == "label":
        values = table.column("label").to_pylist()
    else:
        values = [dict(row or ()).get(target) for row in table.column("targets").to_pylist()]
    names = {value for value in values if value is not None}
    refuse_unknown(section["class_weights"], names, f"{examples}, {target}")


def refuse_unknown(weights: Mapping[str, float], names: Collection[str], where: str) -> None:
    """Refuse a weight for what is no label.

    Args:
        weights: by label.
        names: the labels.
        where: the column of these, for the message.

    Raises:
        ConfigError: naming the first such weight.
    """
    for name in weights:
        if name not in names:
            raise ConfigError(
                f"finetune.class_weights.{name}: expected a label of {where}"
                f" ({', '.join(sorted(names))}); found '{name}'.{suggestion(name, sorted(names))}"
            )
