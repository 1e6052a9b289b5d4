"""The multimodal model, as Transformers classes."""

from fuseline.model.configuration import FuselineConfig
from fuseline.model.modeling import FuselineForPreTraining, FuselineForTasks, FuselineModel
from fuseline.model.output import FuselineOutput, TaskOutput
from fuseline.model.processing import FuselineProcessor

__all__ = [
    "FuselineConfig",
    "FuselineForPreTraining",
    "FuselineForTasks",
    "FuselineModel",
    "FuselineOutput",
    "FuselineProcessor",
    "TaskOutput",
]
