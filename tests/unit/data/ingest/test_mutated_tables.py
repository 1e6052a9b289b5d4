"""A small part of `python -m benchmarks tables`."""

from __future__ import annotations

from benchmarks.tables import fuzz_tables


def test_no_line_of_a_mutated_table_is_lost() -> None:
    outcome = fuzz_tables(range(150))
    assert outcome.faults == []
    assert outcome.counts["tables"] == 150
    assert outcome.counts["texts that two rows became"] == 0
    assert outcome.counts["tables refused as a whole"] < 50
    assert outcome.counts["rows quarantined"] > 100
    assert outcome.counts["rows kept"] > 1000
