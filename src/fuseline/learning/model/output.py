"""What the models give.

Shapes: B batch, T tokens, P positions of a feature modality, W width, K outputs of a task.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
        present: (B,) bool by modality, False where the row lacks it.
        alone: (B, W) fused vector by modality, of the rows as if they had no other; empty where
            it was not asked for.
        vectors: (B, D) float32 by modality, the mean of what its pre-trained encoder gives, or of
            the features where there is none; of sounds with the deviation behind it; empty in a
            model without probes.
    """

    pooled: Tensor
    states: dict[str, Tensor]
    masks: dict[str, Tensor]
    unimodal: dict[str, Tensor]
    present: dict[str, Tensor]
    alone: dict[str, Tensor] = field(default_factory=dict)
    vectors: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class HeadOutput:
    """What a task's head gives.

    Attributes:
        logits: float32; their shape is the head's.
        by_modality: (B, K) float32 logits of each modality alone; empty for a head without
            experts.
    """

    logits: Tensor
    by_modality: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskOutput:
    """What a fine-tuned model gives.

    Attributes:
        by_task: logits of every task, float32, in the order of `config.tasks`; their shapes are
            the heads'.
        by_modality: of every task, in that order, the logits of each modality alone; empty where
            its head has no experts.
    """

    by_task: list[Tensor]
    by_modality: list[dict[str, Tensor]]

    @property
    def logits(self) -> Tensor:
        """Those of the first task."""
        return self.by_task[0]
