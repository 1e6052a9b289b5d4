"""Which keys of `params.yaml` a source decides: its own, and those that have to fit it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from fuseline.params.attack import PIXEL_SPACE, SPACE_OF
from fuseline.params.base import Modality
from fuseline.workbench.scaffold.columns import DATES, NUMBERS
from fuseline.workbench.scaffold.proposal import Proposal

# The radius that an attack is reported at is this share of the mean length of a feature vector, as
# 1.0 is of the 18.3 of the built-in pictures: there, models are told apart.
SHARE_OF_LENGTH = 0.055
# Of word embeddings, the radius that was found to do the same.
TEXT_RADIUS = 0.125
# Mean lengths of feature vectors that were measured, by modality and encoder. Of other encoders
# `metrics/extract_features/<modality>.json` tells it after a run.
LENGTHS = {"efficientnet_lite0": 18.3}
OTHER_LENGTH = 18.3
# Log-mel values lie in [-1, 1]; the root of their mean square in spoken words. A band gives two.
LOG_MEL_SIZE = 0.58
# Squared lengths of a table's cells: a standardised number and its bins, a category, a date.
NUMBER_SQUARE, CATEGORY_SQUARE, DATE_SQUARE = 4.8, 1.0, 3.0

# Attacks' radii, and how they stand to the one that is reported.
EPSILONS = {
    "pretrain.adversarial.attack.epsilon": 0.4,
    "adversarial_finetune.attack.epsilon": 0.8,
    "evaluate.robustness.attack.epsilon": 1.0,
    "stress.transfer.attack.epsilon": 1.0,
}


def settings(content: Mapping[str, Any], proposal: Proposal, place: str) -> dict[str, Any]:
    """Values by dotted key.

    Args:
        content: the params as they are.
        proposal: the source.
        place: where its file or folder lies, relative to the repository.

    Raises:
        KeyError, TypeError: the params lack a key or hold something else in its place.
    """
    section = f"ingest.{proposal.source}"
    values: dict[str, Any] = {
        "base.modalities": list(proposal.modalities),
        "ingest.source": proposal.source,
        f"{section}.path": place,
        **{f"{section}.{key}": value for key, value in proposal.settings.items()},
    }
    for field, column in (proposal.columns or {}).items():
        values[f"{section}.columns.{field}"] = column
    values |= dict(_of_cells(content, proposal))
    values |= dict(_radii(content, proposal))
    values |= dict(_of_columns(content, proposal))
    return values


def _of_cells(content: Mapping[str, Any], proposal: Proposal) -> Iterator[tuple[str, Any]]:
    """What says how cells of several pictures or names are read."""
    if proposal.pictures > _at(content, "ingest.limits.max_images"):
        yield "ingest.limits.max_images", proposal.pictures
    if proposal.separator and proposal.separator != _at(content, "ingest.categories_separator"):
        yield "ingest.categories_separator", proposal.separator


def _radii(content: Mapping[str, Any], proposal: Proposal) -> Iterator[tuple[str, Any]]:
    """A radius for each modality there is; those that are there already stay as they are."""
    for key, factor in EPSILONS.items():
        given = _at(content, key)
        radii = {}
        for modality in proposal.modalities:
            space: str = SPACE_OF[modality]
            if modality == "image" and PIXEL_SPACE in given:
                space = PIXEL_SPACE
            suggested = _rounded(factor * radius(modality, content, proposal))
            radii[space] = given.get(space, suggested)
        if radii != dict(given):
            yield key, radii


def radius(modality: Modality, content: Mapping[str, Any], proposal: Proposal) -> float:
    """The radius to report an attack at, in the units of the modality's features."""
    if modality == "text":
        return TEXT_RADIUS
    extraction = content["extract_features"][modality]
    if modality == "tabular":
        length = math.sqrt(sum(_squares(proposal)) or NUMBER_SQUARE)
    elif modality == "audio" and extraction["encoder"] == "log_mel":
        length = LOG_MEL_SIZE * math.sqrt(2 * extraction["num_mels"])
    else:
        length = LENGTHS.get(extraction["encoder"], OTHER_LENGTH)
    return SHARE_OF_LENGTH * length


def _squares(proposal: Proposal) -> Iterator[float]:
    """Expected squared length of each column's part of a table's features."""
    for guess in proposal.guesses:
        if guess.field == "tabular":
            kinds = {NUMBERS: NUMBER_SQUARE, DATES: DATE_SQUARE}
            yield next(
                (square for kind, square in kinds.items() if guess.reason.endswith(kind)),
                CATEGORY_SQUARE,
            )


def _rounded(value: float) -> float:
    """Two digits that count."""
    return float(f"{value:.2g}")


def _of_columns(content: Mapping[str, Any], proposal: Proposal) -> Iterator[tuple[str, Any]]:
    """What names columns or labels of the set before: tasks, kinds, slices, words of labels."""
    mapping = proposal.columns or {"label": "label", "tabular": [], "targets": {}}
    known = [*(["label"] if mapping["label"] else []), *mapping["targets"]]
    tasks = _at(content, "finetune.tasks")
    kinds = {(task["kind"], task["target"]) for task in tasks}
    task = proposal.task
    if task and ((task["kind"], task["target"]) not in kinds or len(tasks) > 1):
        yield "finetune.tasks", [task]
    columns = {
        "extract_features.tabular.kinds": mapping["tabular"],
        "evaluate.trust.slices": ["lang", "provenance", *mapping["tabular"], *known],
    }
    for key, there in columns.items():
        given = _at(content, key)
        kept = [name for name in given if name in there]
        if kept != list(given):
            yield key, {name: given[name] for name in kept} if isinstance(given, dict) else kept
    if _at(content, "prompt.label_words") and not _reads_same(content, proposal):
        yield "prompt.label_words", {}


def _reads_same(content: Mapping[str, Any], proposal: Proposal) -> bool:
    """Whether the label's column is the one that it was."""
    given = content["ingest"][proposal.source].get("columns") or {}
    same = content["ingest"]["source"] == proposal.source
    return same and given.get("label") == (proposal.columns or {}).get("label")


def _at(content: Mapping[str, Any], key: str) -> Any:
    value: Any = content
    for part in key.split("."):
        value = value[part]
    return value
