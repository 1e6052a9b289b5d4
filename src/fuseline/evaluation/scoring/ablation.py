"""What each modality contributes: scores with some of them gone, or taken from other rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, compress
from typing import Any

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.learning.tasks.scores import scores
from fuseline.params.base import MODALITIES

# Read from outside whatever takes part.
ALWAYS = ("text", "image")
NOTHING = "none"


def named(modalities: Sequence[str]) -> list[str]:
    """Modalities that metrics have keys for: those that take part, and text and image always."""
    return [name for name in MODALITIES if name in modalities or name in ALWAYS]


def keep(data: MultimodalData, kept: Collection[str]) -> MultimodalData:
    """The same rows with every modality absent but those of `kept`."""
    return replace(
        data,
        text_mask=data.text_mask & ("text" in kept),
        feature_mask={name: mask & (name in kept) for name, mask in data.feature_mask.items()},
    )


def shuffle(data: MultimodalData, modalities: list[str], seed: int) -> MultimodalData:
    """The same rows, with `modalities` taken, each as a whole, from another row."""
    other = other_rows(len(data), seed)
    text = "text" in modalities
    return replace(
        data,
        input_ids=[data.input_ids[row] for row in other] if text else data.input_ids,
        text_mask=data.text_mask[other] if text else data.text_mask,
        features={
            name: values[other] if name in modalities else values
            for name, values in data.features.items()
        },
        feature_mask={
            name: mask[other] if name in modalities else mask
            for name, mask in data.feature_mask.items()
        },
    )


def other_rows(num_rows: int, seed: int) -> np.ndarray:
    """For each row another one: a random single cycle, which has no fixed point if N > 1."""
    cycle = np.random.default_rng(seed).permutation(num_rows)
    other = np.empty(num_rows, dtype=np.int64)
    other[cycle] = np.roll(cycle, 1)
    return other


@dataclass(frozen=True)
class Ablation:
    """What a model makes of rows that lack something.

    Attributes:
        figures: see `modality_ablation`.
        without: (N, ...) outputs by the modality that is gone; none where there is but one.
    """

    figures: dict[str, Any]
    without: dict[str, np.ndarray]


def modality_ablation(
    answer: Callable[[MultimodalData], np.ndarray],
    score: Callable[[np.ndarray, MultimodalData], dict[str, float]],
    data: MultimodalData,
    modalities: list[str],
    *,
    seed: int,
) -> Ablation:
    """Scores of a model with parts of its input gone or mismatched.

    Args:
        answer: outputs (N, ...) of such rows.
        score: of these outputs and rows.
        data: the rows as they are.
        modalities: those that take part.
        seed: of the other rows.

    Returns:
        `<modality>_only` of each that takes part, and of text and image always; with more than
        two, `without_<modality>`. `shuffled`, where the first modality stays and each other one
        comes from another row (a single one comes from there itself), with `by_modality`, where
        that one alone does. A modality that takes no part leaves its key in place.
    """
    names = named(modalities)
    alone = {name: frozenset([name]) for name in names}
    several = modalities if len(modalities) > 1 else []
    others = {name: frozenset(modalities) - {name} for name in several}
    # Of two modalities, what is left without one is the other alone.
    answers = {
        kept: answer(keep(data, kept))
        for kept in dict.fromkeys([*alone.values(), *others.values()])
    }
    scored = {kept: score(outputs, data) for kept, outputs in answers.items()}

    def shuffled(which: list[str]) -> dict[str, float]:
        mixed = shuffle(data, which, seed)
        return score(answer(mixed), mixed)

    figures = {
        **{f"{name}_only": scored[kept] for name, kept in alone.items()},
        **{f"without_{name}": scored[kept] for name, kept in others.items() if len(others) > 2},
        "shuffled": {
            **shuffled(modalities[1:] or modalities),
            "by_modality": {name: shuffled([name]) for name in names},
        },
    }
    return Ablation(figures, {name: answers[kept] for name, kept in others.items()})


def presence_scores(
    data: MultimodalData, predictions: np.ndarray, modalities: list[str]
) -> dict[str, dict[str, float | int]]:
    """Scores of the rows that have exactly some modalities, as they come.

    Args:
        data: N labelled rows.
        predictions: (N,) int64.
        modalities: those that take part.

    Returns:
        By pattern (`image+text`, in order of the alphabet; `none` for rows without any) `rows`,
        `accuracy`, `macro_f1`: every pattern that the modalities allow, with zeros where no row
        has it.
    """
    names = sorted(modalities)
    patterns = _patterns(data, names)
    found: dict[str, dict[str, float | int]] = {}
    for pattern in all_patterns(names):
        rows = patterns == pattern
        figures = scores(data.labels[rows], predictions[rows], len(data.label_names))
        found[pattern or NOTHING] = {"rows": int(rows.sum()), **figures}
    return found


def _patterns(data: MultimodalData, names: list[str]) -> np.ndarray:
    """(N,) which of `names` each row has, joined by plus signs."""
    rows = zip(*(data.present(name) for name in names), strict=True)
    return np.array(["+".join(compress(names, row)) for row in rows])


def all_patterns(names: list[str]) -> list[str]:
    """Every subset of `names`, joined by plus signs; the empty one last."""
    sizes = range(len(names), -1, -1)
    return ["+".join(chosen) for size in sizes for chosen in combinations(names, size)]
