"""The multimodal model, as Transformers classes."""

from fuseline.model.configuration import FuselineConfig
from fuseline.model.modeling import (
    FuselineForClassification,
    FuselineForPreTraining,
    FuselineModel,
    FuselineOutput,
)
from fuseline.model.processing import FuselineProcessor

__all__ = [
    "FuselineConfig",
    "FuselineForClassification",
    "FuselineForPreTraining",
    "FuselineModel",
    "FuselineOutput",
    "FuselineProcessor",
]
