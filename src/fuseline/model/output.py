"""What the models give. Shapes: B batch, T tokens, P positions of a feature modality, W width."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class FuselineOutput:
    """What the backbone gives.

    Attributes:
        pooled: (B, W) fused vector.
        states: fused states by modality: `text` (B, T, W), `<modality>` (B, P, W).
        masks: by modality, (B, T) or (B, P) bool, False where there is nothing; an absent modality
            keeps its first position.
        unimodal: (B, W) mean of each modality before fusion.
    """

    pooled: Tensor
    states: dict[str, Tensor]
    masks: dict[str, Tensor]
    unimodal: dict[str, Tensor]


@dataclass(frozen=True)
class TaskOutput:
    """What a fine-tuned model gives.

    Attributes:
        by_task: logits of every task, float32, in the order of `config.tasks`; their shapes are
            the heads'.
    """

    by_task: list[Tensor]

    @property
    def logits(self) -> Tensor:
        """Those of the first task."""
        return self.by_task[0]
