"""Fusion: the modalities' states into one pooled vector and fused states."""

from __future__ import annotations

from fuseline.model.fusion.attention import AttentionFusion
from fuseline.model.fusion.base import Fused, Fusion, Sequence
from fuseline.model.fusion.concat import ConcatFusion

FUSIONS: dict[str, type[Fusion]] = {
    "attention": AttentionFusion,
    "concat": ConcatFusion,
}

__all__ = ["FUSIONS", "Fused", "Fusion", "Sequence"]
