"""Whether the results here are those that a revision committed, and where they part."""

from fuseline.workbench.verify.compare import Comparison, compare
from fuseline.workbench.verify.report import describe

__all__ = ["Comparison", "compare", "describe"]
