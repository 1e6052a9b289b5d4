"""Section `report`."""

from __future__ import annotations

from fuseline.config import Section
from fuseline.params.base import Count


class ReportParams(Section):
    num_examples: Count
    num_pairs: Count
