"""Whether the results here are those that a revision committed, and where they part."""

from fuseline.verify.compare import Comparison, compare
from fuseline.verify.report import describe

__all__ = ["Comparison", "compare", "describe"]
