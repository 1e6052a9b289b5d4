"""Fusion: the modalities' states into one pooled vector and fused states."""

from __future__ import annotations

from fuseline.learning.model.fusion.attention import AttentionFusion
from fuseline.learning.model.fusion.base import Fused, Fusion, Sequence
from fuseline.learning.model.fusion.bottleneck import BottleneckFusion
from fuseline.learning.model.fusion.concat import ConcatFusion
from fuseline.learning.model.fusion.cross_attention import CrossAttentionFusion
from fuseline.learning.model.fusion.gated import GatedFusion

FUSIONS: dict[str, type[Fusion]] = {
    "attention": AttentionFusion,
    "bottleneck": BottleneckFusion,
    "concat": ConcatFusion,
    "cross_attention": CrossAttentionFusion,
    "gated": GatedFusion,
}

__all__ = ["FUSIONS", "Fused", "Fusion", "Sequence"]
