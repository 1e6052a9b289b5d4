"""The self-supervised objectives, and their mixture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.errors import ConfigError
from fuseline.learning.objectives.base import (
    Objective,
    ObjectiveOutput,
    PretrainingObjective,
    Stateful,
)
from fuseline.learning.objectives.contrastive import Contrastive
from fuseline.learning.objectives.itm import ImageTextMatching
from fuseline.learning.objectives.joint_contrastive import JointContrastive
from fuseline.learning.objectives.masked_features import MaskedFeatures
from fuseline.learning.objectives.mlm import MaskedLanguageModelling
from fuseline.learning.objectives.nsp import NextSentencePrediction
from fuseline.params.pretrain import ObjectiveParams
from fuseline.registry import lookup

OBJECTIVES: dict[str, type[PretrainingObjective]] = {
    "mlm": MaskedLanguageModelling,
    "nsp": NextSentencePrediction,
    "itm": ImageTextMatching,
    "contrastive": Contrastive,
    "joint_contrastive": JointContrastive,
    "masked_features": MaskedFeatures,
}


def build_objectives(
    params: ObjectiveParams, modalities: Sequence[str], continues_word: Tensor | None
) -> dict[str, Objective]:
    """Objectives with a weight above 0 that can work with the modalities.

    Args:
        params: weights and settings.
        modalities: those that take part.
        continues_word: (V,) bool by token id; None where the tokenizer does not tell.

    Raises:
        ConfigError: an unknown name, nothing left to train on, or settings that the tokenizer
            cannot serve.
    """
    built: dict[str, Objective] = {}
    for name, weight in params.weights.items():
        kind = lookup(OBJECTIVES, name, where="pretrain.objectives.weights")
        if weight > 0 and kind.takes_part(modalities):
            built[name] = kind(params, continues_word)
    if not built:
        raise ConfigError(
            "pretrain.objectives.weights: no objective has a weight above 0 and all of its"
            f" modalities among base.modalities ({', '.join(modalities)}). Raise a weight."
        )
    return built


class Mixture:
    """One objective a batch, drawn in proportion to the weights (as UNITER does): a step costs
    what that one costs, however many objectives there are."""

    def __init__(self, objectives: dict[str, Objective], weights: dict[str, float]) -> None:
        self.names = sorted(objectives)
        self.objectives = objectives
        self.weights = torch.tensor([weights[name] for name in self.names])

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        drawn = self.names[int(torch.multinomial(self.weights, 1))]
        return self.objectives[drawn](model, batch)

    def state_dict(self) -> dict[str, Tensor]:
        """The state of every objective that has one, under its name."""
        return {
            f"{name}.{key}": value
            for name, objective in self._stateful().items()
            for key, value in objective.state_dict().items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, objective in self._stateful().items():
            own = {key: value for key, value in state.items() if key.startswith(f"{name}.")}
            objective.load_state_dict(
                {key.removeprefix(f"{name}."): value for key, value in own.items()}
            )

    def _stateful(self) -> dict[str, Stateful]:
        return {
            name: objective
            for name, objective in self.objectives.items()
            if isinstance(objective, Stateful)
        }
