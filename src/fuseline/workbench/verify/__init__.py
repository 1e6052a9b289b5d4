"""Whether the results here are those that a revision committed, and where they part."""

from fuseline.workbench.verify.report import describe
from fuseline.workbench.verify.stages import Comparison, compare

__all__ = ["Comparison", "compare", "describe"]
