"""Events of people with the rows that were kept: checked, written, cut by time.

Shapes: E events.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fuseline.contracts import INTERACTIONS, QUARANTINE, SPLITS, TableWriter
from fuseline.data.ingest.event import EVENT_REASONS, Event, EventRefusal, read_event
from fuseline.data.ingest.shards import ShardedTable, ShardPlan
from fuseline.data.interactions import DAY
from fuseline.data.sources.batch_files import batch_files
from fuseline.data.sources.cells import check_columns
from fuseline.data.sources.manifest_files import FOLDER_ENDINGS, MANIFEST_FILES, open_table
from fuseline.data.sources.table_file import BadRecord, TableFile
from fuseline.errors import ContractError
from fuseline.params.ingest import InteractionParams

WHERE = "ingest.interactions"
SHARD_ROWS = 2**16
SHOWN_RAW = 2000


def event_files(params: InteractionParams) -> list[TableFile]:
    """The files of events, their columns checked; none where the params name none.

    Raises:
        ConfigError: a file or a column that is not there.
    """
    if params.path is None:
        return []
    columns = {name: column for name, column in params.columns.model_dump().items() if column}
    where = f"{WHERE}.path"
    files = []
    for path in batch_files(params.path, MANIFEST_FILES, where=where, in_folder=FOLDER_ENDINGS):
        file = open_table(path, list(columns.values()), params.encoding)
        check_columns(
            file.found_columns(), list(columns.items()), where=f"{WHERE}.columns", place=str(path)
        )
        files.append(file)
    return files


def ingest_interactions(
    params: InteractionParams,
    files: list[TableFile],
    items: Collection[str],
    interactions: Path,
    quarantine: Path,
) -> dict[str, Any] | None:
    """Write the events that can be kept, and those that cannot, in the order of their files.

    Args:
        params: section `ingest.interactions`.
        files: as `event_files` gives them.
        items: ids of the rows that were kept.
        interactions: folder of the table to write; of no events where there is no file.
        quarantine: folder of the refused ones to write, where there is a file.

    Returns:
        Figures of the events and of what the cuts by time part, None without a file.

    Raises:
        ContractError: no event can be kept, or none is left to train on.
    """
    writer = TableWriter(interactions, INTERACTIONS, "interactions")
    if not files:
        writer.finish(dev_from=0, test_from=0)
        return None
    reading = _Reading(params, items, ShardedTable(writer), quarantine)
    for batch, file in enumerate(files):
        rows = tqdm(file.records(), "events", total=file.num_rows, unit="row", file=sys.stderr)
        for record in rows:
            reading.add(record, batch)
    return reading.finish()


class _Reading:
    def __init__(
        self,
        params: InteractionParams,
        items: Collection[str],
        kept: ShardedTable,
        quarantine: Path,
    ) -> None:
        self.params, self.items, self.kept = params, items, kept
        self.refused = ShardedTable(TableWriter(quarantine, QUARANTINE, "quarantine"))
        self.plan = ShardPlan(SHARD_ROWS)
        self.rows = 0
        self.reasons: Counter[str] = Counter()
        self.users: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.seen: set[tuple[int, int, int]] = set()
        self.events: list[tuple[int, int, int]] = []

    def add(self, record: Mapping[str, Any] | BadRecord, batch: int) -> None:
        shard = self.plan.place(batch, 0)
        try:
            if isinstance(record, BadRecord):
                raise EventRefusal("malformed_row", record.detail)
            event = read_event(record, self.params.columns, self.items)
            self._keep(event, shard)
        except EventRefusal as refusal:
            self._refuse(record, refusal, shard)
        self.rows += 1

    def _keep(self, event: Event, shard: int) -> None:
        user = self.users.setdefault(event.user, len(self.users))
        item = self.numbers.setdefault(event.item, len(self.numbers))
        key = (user, item, event.time)
        if key in self.seen:
            raise EventRefusal(
                "duplicate_event",
                f"{event.user!r} has the item {event.item!r} at that time already.",
            )
        self.seen.add(key)
        self.events.append(key)
        self.kept.add({"source_row": self.rows, **vars(event)}, shard)

    def _refuse(
        self, record: Mapping[str, Any] | BadRecord, refusal: EventRefusal, shard: int
    ) -> None:
        self.reasons[refusal.reason] += 1
        raw = record.content if isinstance(record, BadRecord) else json.dumps(record, default=str)
        self.refused.add(
            {
                "source_row": self.rows,
                "example_id": None,
                "reason": refusal.reason,
                "detail": refusal.detail,
                "raw": raw[:SHOWN_RAW],
            },
            shard,
        )

    def finish(self) -> dict[str, Any]:
        self.kept.flush()
        self.refused.flush()
        self.refused.writer.finish(reasons=EVENT_REASONS)
        if not self.events:
            raise ContractError(
                f"{WHERE}: expected events of the rows that were kept, found none among"
                f" {self.rows}. Most were refused as {self.reasons.most_common(1)}: its columns"
                " may be mapped wrongly, or its items bear other ids than the column `id` of the"
                " rows."
            )
        events = np.array(self.events, dtype=np.int64)
        dev_from, test_from = cut_times(events[:, 2], self.params)
        if events[:, 2].min() >= dev_from:
            raise ContractError(
                f"{WHERE}: expected events before those of dev and test, found {len(events)} of"
                f" which none is, as events of one second lie on one side. Map a column of finer"
                f" times as {WHERE}.columns.time, or lower {WHERE}.dev and {WHERE}.test."
            )
        self.kept.writer.finish(dev_from=dev_from, test_from=test_from)
        counted = {reason: self.reasons[reason] for reason in sorted(EVENT_REASONS)}
        found = {
            "rows_in": self.rows,
            "rows_kept": len(events),
            "rows_quarantined": self.reasons.total(),
            "quarantined": counted,
            "users": len(np.unique(events[:, 0])),
            "items": len(np.unique(events[:, 1])),
            "splits": dict(_parted(events, dev_from, test_from)),
        }
        print(_summary(found))
        return found


def cut_times(times: np.ndarray, params: InteractionParams) -> tuple[int, int]:
    """The first seconds of the development and of the test events; events of one second lie on one
    side.

    Args:
        times: (E,) int64 in seconds, in any order.
        params: shares of both.
    """
    ordered = np.sort(times)
    end = int(ordered[-1]) + 1

    def first_of(share: float) -> int:
        place = round(len(ordered) * (1.0 - share))
        return end if place >= len(ordered) else int(ordered[place])

    return first_of(params.dev + params.test), first_of(params.test)


def _parted(
    events: np.ndarray, dev_from: int, test_from: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each split holds, and who and what is new in it."""
    ends = [dev_from, test_from, None]
    before = np.zeros(len(events), dtype=bool)
    for split, end in zip(SPLITS, ends, strict=True):
        within = ~before if end is None else (events[:, 2] < end) & ~before
        here, past = events[within], events[before]
        new = [len(np.setdiff1d(here[:, column], past[:, column])) for column in (0, 1)]
        yield (
            split,
            {
                "events": len(here),
                "users": len(np.unique(here[:, 0])),
                "items": len(np.unique(here[:, 1])),
                "new_users": new[0],
                "new_items": new[1],
                "days": float(np.ptp(here[:, 2]) / DAY) if len(here) else 0.0,
            },
        )
        before |= within


def _summary(found: dict[str, Any]) -> str:
    lines = [
        f"{'events in':<20}{found['rows_in']:>9}",
        f"{'kept':<20}{found['rows_kept']:>9}  {found['users']} users, {found['items']} items",
    ]
    for split, part in found["splits"].items():
        new = f", new: {part['new_users']} users, {part['new_items']} items"
        lines.append(
            f"  {split:<18}{part['events']:>9}  {part['users']} users, {part['items']} items in"
            f" {part['days']:.1f} days{new if split != SPLITS[0] else ''}"
        )
    lines.append(f"{'quarantined':<20}{found['rows_quarantined']:>9}")
    lines += [
        f"  {reason:<18}{rows:>9}  {EVENT_REASONS[reason]}"
        for reason, rows in found["quarantined"].items()
        if rows
    ]
    return "\n".join(lines)
