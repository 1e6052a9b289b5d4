"""The multimodal model, as Transformers classes."""

from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.modeling import FuselineForPreTraining, FuselineForTasks, FuselineModel
from fuseline.learning.model.output import FuselineOutput, TaskOutput
from fuseline.learning.model.processing import FuselineProcessor

__all__ = [
    "FuselineConfig",
    "FuselineForPreTraining",
    "FuselineForTasks",
    "FuselineModel",
    "FuselineOutput",
    "FuselineProcessor",
    "TaskOutput",
]
