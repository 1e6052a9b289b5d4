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
from fuseline.learning.model.recommender import RecommendationHead
from fuseline.registry import lookup

# What is said of all modalities at once, beside each alone.
ALL = "all"


class PooledHead(nn.Module):
    """A linear layer over the pooled vector, and one over each modality for rows that have no
    other: (B, K). Each may have a linear probe that it is blended with, by its name in `probes`."""

    def __init__(self, config: FuselineConfig, facts: dict[str, Any]) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = nn.Linear(config.hidden_size, facts["size"])
        self.experts = UnimodalExperts(config, facts["size"])
        self.probes = nn.ModuleDict()

    def add_probes(self, dims: dict[str, int]) -> None:
        """Let there be a probe of all modalities, and one of each that has an expert.

        Args:
            dims: widths of the vectors by modality.
        """
        size, alone = self.classifier.out_features, self.experts.layers
        self.probes[ALL] = BlendedProbe(dims, size)
        for name in alone:
            self.probes[name] = BlendedProbe({name: dims[name]}, size)

    @property
    def probes_by_name(self) -> dict[str, BlendedProbe]:
        """The probes, `ALL` first, or none."""
        return {name: cast(BlendedProbe, probe) for name, probe in self.probes.items()}

    def forward(self, output: FuselineOutput, batch: Batch) -> HeadOutput:
        del batch
        logits = self.trained(output)
        for name, probe in self.probes_by_name.items():
            logits[name] = probe(logits[name], output.vectors, output.present)
        fused = logits.pop(ALL)
        return HeadOutput(where_single(output.present, logits, fused), logits)

    def trained(self, output: FuselineOutput) -> dict[str, Tensor]:
        """What the trained layers say, (B, K) float32, of all modalities and of each alone."""
        fused = self.classifier(self.dropout(self.norm(output.pooled))).float()
        return {ALL: fused, **self.experts(output.unimodal)}


class TokenHead(nn.Module):
    """A linear layer over each token's fused state: (B, T, K)."""

    def __init__(self, config: FuselineConfig, facts: dict[str, Any]) -> None:
        super().__init__()
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

    def __init__(self, config: FuselineConfig, facts: dict[str, Any]) -> None:
        super().__init__()
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
    "recommendation": RecommendationHead,
}


def build_head(config: FuselineConfig, task: dict[str, Any], dims: dict[str, int]) -> nn.Module:
    """The head of one entry of `config.tasks`, with what it wants of the encoders' vectors, of the
    widths `dims` by modality: probes if there are any, and what items are like."""
    kind = lookup(HEADS, task["head"]["kind"], where="config.tasks.head.kind")
    head = kind(config, task["head"])
    if dims and isinstance(head, PooledHead):
        head.add_probes(dims)
    if isinstance(head, RecommendationHead):
        head.add_content(dims)
    return head
