"""Counting what was kept and refused, and saying it to people."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fuseline.contracts import SPLITS
from fuseline.data.ingest.candidate import Record
from fuseline.data.ingest.refusal import REASONS, Refusal
from fuseline.data.sources.base import brief
from fuseline.params.base import MODALITIES

MAX_LISTED_LABELS = 100
MAX_LISTED_NAMES = 100
# How much of a row's detail the terminal shows.
SHOWN_DETAIL = 300
# Share of malformed rows from which on a run says so.
NOTED_SHARE = 0.05

NAMED = ("lang", "license", "provenance")


class Tally:
    """Counts of one run.

    Args:
        min_label_rows: rows of a label with fewer are refused in the end, so that they are counted
            only once there are as many.
    """

    def __init__(self, min_label_rows: int) -> None:
        self.rows_in = 0
        self.quarantined: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._min_label_rows = min_label_rows
        self._rows_of: Counter[str | None] = Counter()
        self._totals: Counter[str] = Counter()
        # What the rows of labels that are still rare add to the totals.
        self._waiting: dict[str, Counter[str]] = {}

    def keep(self, example: Record) -> None:
        """Count a kept row."""
        label = example["label"]
        self._rows_of[label] += 1
        counted = _counted(example)
        if label is None or self._rows_of[label] > self._min_label_rows:
            self._totals.update(counted)
            return
        waiting = self._waiting.setdefault(label, Counter())
        waiting.update(counted)
        if self._rows_of[label] == self._min_label_rows:
            self._totals.update(self._waiting.pop(label))

    def refuse(self, record: Record) -> None:
        """Count a refused row."""
        self.quarantined[record["reason"]] += 1
        self._first.setdefault(
            record["reason"],
            f"; row {record['source_row']}: {brief(record['detail'], SHOWN_DETAIL)}",
        )

    def take_rare(self) -> dict[str, Refusal]:
        """Count the rows of rare labels as refused; why, by label."""
        rare = {label: self._rows_of.pop(label) for label in self._waiting}
        self._waiting.clear()
        if rare:
            self.quarantined["rare_label"] += sum(rare.values())
        return {
            label: Refusal(
                "rare_label", f"Only {rows} row(s) could be kept with the label {brief(label)!r}."
            )
            for label, rows in rare.items()
        }

    def take_back(self, example: Record, refusal: Refusal) -> None:
        """Count a row that was kept as refused."""
        label = example["label"]
        self._rows_of[label] -= 1
        if not self._rows_of[label]:
            del self._rows_of[label]
        self._totals.subtract(_counted(example))
        self.refuse(
            {
                "source_row": example["source_row"],
                "reason": refusal.reason,
                "detail": refusal.detail,
            }
        )

    @property
    def rows_kept(self) -> int:
        return self._rows_of.total()

    @property
    def labels(self) -> list[str]:
        return sorted(label for label in self._rows_of if label is not None)

    @property
    def languages(self) -> list[str]:
        return sorted(self._names("lang:"))

    @property
    def facts(self) -> dict[str, Any]:
        """What readers of the examples need to know of them; the commonest names where there are
        many."""
        return {
            "labels": self.labels,
            "languages": self.languages,
            "modalities": {name: self._totals[f"modality:{name}"] for name in MODALITIES},
            "licenses": self._commonest("license:"),
            "provenances": self._commonest("provenance:"),
        }

    def metrics(self) -> dict[str, Any]:
        """The figures of `metrics/ingest.json`.

        Every reason is listed, so that two runs compare key by key; `labels` only where there
        are few enough to read.
        """
        by_label = {label: self._rows_of[label] for label in self.labels}
        return {
            "rows_in": self.rows_in,
            "rows_kept": self.rows_kept,
            "rows_quarantined": self.quarantined.total(),
            "rows_sanitised": self._totals["sanitised"],
            "quarantined": {reason: self.quarantined[reason] for reason in sorted(REASONS)},
            "splits": {split: self._totals[f"split:{split}"] for split in SPLITS},
            "num_labels": len(by_label),
            **({"labels": by_label} if len(by_label) <= MAX_LISTED_LABELS else {}),
            "modalities": {name: self._totals[f"modality:{name}"] for name in MODALITIES},
            "sanitised": self._commonest("sanitised:"),
            "findings": self._commonest("findings:"),
            "licenses": self._commonest("license:"),
        }

    def notes(self) -> list[str]:
        """What must not pass unseen in a run that goes on: many rows that are no rows."""
        malformed = self.quarantined["malformed_row"]
        if not malformed or malformed < NOTED_SHARE * self.rows_in:
            return []
        return [
            f"{malformed} of {self.rows_in} rows cannot be read as the file's format demands"
            f"{self._first['malformed_row']} Look at data/quarantine: the file may be damaged, or"
            " be read otherwise than it was written."
        ]

    def commonest_reason(self) -> str:
        """A sentence on the reason of most refusals, with a space behind it; else nothing."""
        for reason, rows in self.quarantined.most_common(1):
            return (
                f"Most for {reason} ({rows} rows): {REASONS[reason]}{self._first.get(reason, '.')} "
            )
        return ""

    def summary(self) -> str:
        """A table for the terminal: what came in, what was kept, why the rest was not."""
        lines = [("rows in", self.rows_in, ""), ("kept", self.rows_kept, "")]
        lines += [(f"  {split}", self._totals[f"split:{split}"], "") for split in SPLITS]
        lines += [("quarantined", self.quarantined.total(), "")]
        lines += [
            (f"  {reason}", rows, REASONS[reason] + self._first.get(reason, ""))
            for reason, rows in self.quarantined.most_common()
        ]
        return "\n".join(f"{name:<20}{rows:>9}  {note}".rstrip() for name, rows, note in lines)

    def _names(self, prefix: str) -> dict[str, int]:
        return {
            key.removeprefix(prefix): rows
            for key, rows in self._totals.items()
            if rows and key.startswith(prefix)
        }

    def _commonest(self, prefix: str) -> dict[str, int]:
        ranked = sorted(self._names(prefix).items(), key=lambda item: (-item[1], item[0]))
        return dict(sorted(ranked[:MAX_LISTED_NAMES]))


def _counted(example: Record) -> list[str]:
    """What a row adds one to."""
    counted = [f"split:{example['split']}"]
    counted += [f"{name}:{example[name]}" for name in NAMED if example[name]]
    counted += [f"modality:{name}" for name in MODALITIES if example[name]]
    for name in ("sanitised", "findings"):
        if example[name]:
            counted += [name, *(f"{name}:{item}" for item in set(example[name]))]
    return counted
