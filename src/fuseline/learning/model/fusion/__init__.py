"""Fusion: the modalities' states into one pooled vector and fused states."""

from __future__ import annotations

from fuseline.model.fusion.attention import AttentionFusion
from fuseline.model.fusion.base import Fused, Fusion, Sequence
from fuseline.model.fusion.bottleneck import BottleneckFusion
from fuseline.model.fusion.concat import ConcatFusion
from fuseline.model.fusion.cross_attention import CrossAttentionFusion
from fuseline.model.fusion.gated import GatedFusion

FUSIONS: dict[str, type[Fusion]] = {
    "attention": AttentionFusion,
    "bottleneck": BottleneckFusion,
    "concat": ConcatFusion,
    "cross_attention": CrossAttentionFusion,
    "gated": GatedFusion,
}

__all__ = ["FUSIONS", "Fused", "Fusion", "Sequence"]
