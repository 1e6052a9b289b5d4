"""Counting what was kept and refused, and saying it to people."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

from fuseline.contracts import SPLITS
from fuseline.ingest.candidate import Record
from fuseline.ingest.refusal import REASONS
from fuseline.params.base import Modality

MAX_LISTED_LABELS = 100
MAX_LISTED_NAMES = 100

MODALITIES: tuple[Modality, ...] = get_args(Modality)
NAMED = ("lang", "license", "provenance")


class Tally:
    """Counts of one run, kept by label so that rare labels can be taken back whole."""

    def __init__(self) -> None:
        self.rows_in = 0
        self.quarantined: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._by_label: dict[str | None, Counter[str]] = {}

    def keep(self, example: Record) -> None:
        """Count a kept row."""
        counts = self._by_label.setdefault(example["label"], Counter())
        counts.update(
            [
                "rows",
                f"split:{example['split']}",
                *(f"{name}:{example[name]}" for name in NAMED if example[name]),
                *(f"modality:{name}" for name in MODALITIES if example[name]),
            ]
        )
        for list_name in ("sanitised", "findings"):
            if example[list_name]:
                counts[list_name] += 1
                counts.update(f"{list_name}:{item}" for item in set(example[list_name]))

    def refuse(self, record: Record) -> None:
        """Count a refused row."""
        self.quarantined[record["reason"]] += 1
        self._first.setdefault(
            record["reason"], f"; row {record['source_row']}: {record['detail']}"
        )

    def take_rare(self, min_rows: int) -> dict[str, int]:
        """Count the rows of labels with fewer than `min_rows` as refused, and return those."""
        rare = {
            label: counts["rows"]
            for label, counts in self._by_label.items()
            if label is not None and counts["rows"] < min_rows
        }
        for label, rows in rare.items():
            del self._by_label[label]
            self.quarantined["rare_label"] += rows
        return rare

    @property
    def rows_kept(self) -> int:
        return self._total("rows")

    @property
    def labels(self) -> list[str]:
        return sorted(label for label in self._by_label if label is not None)

    @property
    def languages(self) -> list[str]:
        return sorted(self._totals("lang:"))

    @property
    def facts(self) -> dict[str, Any]:
        """What readers of the examples need to know of them; the commonest names where there are
        many."""
        return {
            "labels": self.labels,
            "languages": self.languages,
            "modalities": {name: self._total(f"modality:{name}") for name in MODALITIES},
            "licenses": self._commonest("license:"),
            "provenances": self._commonest("provenance:"),
        }

    def metrics(self) -> dict[str, Any]:
        """The figures of `metrics/ingest.json`.

        Every reason is listed, so that two runs compare key by key; `labels` only where there
        are few enough to read.
        """
        by_label = {label: self._by_label[label]["rows"] for label in self.labels}
        return {
            "rows_in": self.rows_in,
            "rows_kept": self.rows_kept,
            "rows_quarantined": self.quarantined.total(),
            "rows_sanitised": self._total("sanitised"),
            "quarantined": {reason: self.quarantined[reason] for reason in sorted(REASONS)},
            "splits": {split: self._total(f"split:{split}") for split in SPLITS},
            "num_labels": len(by_label),
            **({"labels": by_label} if len(by_label) <= MAX_LISTED_LABELS else {}),
            "modalities": {name: self._total(f"modality:{name}") for name in MODALITIES},
            "sanitised": self._commonest("sanitised:"),
            "findings": self._commonest("findings:"),
            "licenses": self._commonest("license:"),
        }

    def summary(self) -> str:
        """A table for the terminal: what came in, what was kept, why the rest was not."""
        lines = [("rows in", self.rows_in, ""), ("kept", self.rows_kept, "")]
        lines += [(f"  {split}", self._total(f"split:{split}"), "") for split in SPLITS]
        lines += [("quarantined", self.quarantined.total(), "")]
        lines += [
            (f"  {reason}", rows, REASONS[reason] + self._first.get(reason, ""))
            for reason, rows in self.quarantined.most_common()
        ]
        return "\n".join(f"{name:<20}{rows:>9}  {note}".rstrip() for name, rows, note in lines)

    def _total(self, key: str) -> int:
        return sum(counts[key] for counts in self._by_label.values())

    def _totals(self, prefix: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for counts in self._by_label.values():
            for key, rows in counts.items():
                if key.startswith(prefix):
                    found[key.removeprefix(prefix)] += rows
        return found

    def _commonest(self, prefix: str) -> dict[str, int]:
        totals = self._totals(prefix)
        ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        return dict(sorted(ranked[:MAX_LISTED_NAMES]))
