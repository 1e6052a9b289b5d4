"""A small part of `python -m benchmarks fuzz`."""

from __future__ import annotations

from benchmarks.fuzz import ROWS_PER_MANIFEST, fuzz_files, fuzz_manifests


def test_damaged_files_never_crash() -> None:
    outcome = fuzz_files(range(600))
    assert outcome.crashes == []
    assert outcome.counts.total() == 600
    ends = {name.partition(": ")[2] for name in outcome.counts}
    assert {"kept", "unreadable_image", "unreadable_audio", "unreadable_video"} <= ends


def test_damaged_rows_never_crash_and_none_is_lost() -> None:
    outcome = fuzz_manifests(range(10))
    assert outcome.crashes == []
    # Damage may join two lines or make two of one.
    assert abs(outcome.counts.total() - 10 * ROWS_PER_MANIFEST) < ROWS_PER_MANIFEST
    assert {"rows: kept", "rows: malformed_row", "rows: malformed_target"} <= set(outcome.counts)
