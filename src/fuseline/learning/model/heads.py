"""Task heads: the backbone's output to a task's logits.

Shapes: B batch, T tokens, W common width, K outputs of a task, M modalities, S contrastive width.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fuseline.data.dataset import Batch
from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.decoder import DecoderHead
from fuseline.learning.model.experts import UnimodalExperts, where_single
from fuseline.learning.model.output import FuselineOutput, HeadOutput
from fuseline.learning.model.probes import BlendedProbe
from fuseline.registry import lookup

# The probe of all modalities at once, among those of one.
ALL = "all"


class PooledHead(nn.Module):
    """A linear layer over the pooled vector, blended with a probe of what the encoders give; the
    same of each modality for rows that have no other: (B, K)."""

    def __init__(self, config: FuselineConfig, facts: dict[str, Any], dims: dict[str, int]) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, facts["size"])
        self.probe = BlendedProbe(dims, facts["size"])
        self.experts = UnimodalExperts(config, facts["size"], dims)

    def forward(self, output: FuselineOutput, batch: Batch) -> HeadOutput:
        del batch
        fused = self.probe(self.fused(output), output.vectors, output.present)
        alone = self.experts(output)
        return HeadOutput(where_single(output.present, alone, fused), alone)

    @property
    def probes(self) -> dict[str, BlendedProbe]:
        """That of all modalities under `ALL`, those of one by its name."""
        alone = {name: cast(BlendedProbe, one) for name, one in self.experts.probes.items()}
        return {ALL: self.probe, **alone}

    def trained(self, output: FuselineOutput) -> dict[str, Tensor]:
        """What each probe is blended with, (B, K) float32, by the probes' names."""
        return {ALL: self.fused(output), **self.experts.trained(output)}

    def fused(self, output: FuselineOutput) -> Tensor:
        """What is trained over the pooled vector, (B, K) float32."""
        logits: Tensor = self.classifier(self.dropout(self.norm(output.pooled)))
        return logits.float()


class TokenHead(nn.Module):
    """A linear layer over each token's fused state: (B, T, K)."""

    def __init__(self, config: FuselineConfig, facts: dict[str, Any], dims: dict[str, int]) -> None:
        super().__init__()
        del dims
        self.norm = nn.LayerNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, facts["size"])

    def forward(self, output: FuselineOutput, batch: Batch) -> HeadOutput:
        del batch
        logits: Tensor = self.classifier(self.dropout(self.norm(output.states["text"])))
        return HeadOutput(logits.float())


class ContrastiveHead(nn.Module):
    """Unit vectors of each modality by itself, in the order of the facts' `modalities`, times the
    root of the learnt scale: products of two are scaled similarities. (B, M, S).

    Its parameters bear the names of pre-training's own, which it starts from.
    """

    def __init__(self, config: FuselineConfig, facts: dict[str, Any], dims: dict[str, int]) -> None:
        super().__init__()
        del dims
        self.contrastive_heads = nn.ModuleDict(
            {
                name: nn.Linear(config.hidden_size, config.contrastive_size, bias=False)
                for name in facts["modalities"]
            }
        )
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))

    def forward(self, output: FuselineOutput, batch: Batch) -> HeadOutput:
        del batch
        vectors = [
            functional.normalize(project(output.unimodal[name]).float(), dim=-1)
            for name, project in self.contrastive_heads.items()
        ]
        scale = (self.logit_scale.clamp_max(4.6052) / 2).exp()
        return HeadOutput(torch.stack(vectors, dim=1) * scale)


HEADS: dict[str, type[nn.Module]] = {
    "pooled": PooledHead,
    "tokens": TokenHead,
    "contrastive": ContrastiveHead,
    "decoder": DecoderHead,
}


def build_head(config: FuselineConfig, task: dict[str, Any], dims: dict[str, int]) -> nn.Module:
    """The head of one entry of `config.tasks`, over vectors of the given widths by modality."""
    kind = lookup(HEADS, task["head"]["kind"], where="config.tasks.head.kind")
    return kind(config, task["head"], dims)
