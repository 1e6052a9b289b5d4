"""The report's section on leakage: sentences, tables, and the closest pairs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from fuseline.contracts import LEAKAGE, read_manifest, read_table
from fuseline.evaluation.leakage.shortcuts import SHORTCUTS
from fuseline.evaluation.leakage.verdicts import Verdict, verdicts
from fuseline.params.leakage import LeakageParams
from fuseline.reporting.sections.rows import RowContent, read_contents


@dataclass(frozen=True)
class Pair:
    """A test row beside its nearest training row."""

    similarity: float
    test: RowContent
    train: RowContent

    @property
    def same_label(self) -> bool:
        """Whether both bear one label."""
        return self.test.label == self.train.label


@dataclass(frozen=True)
class Fact:
    """How well one fact beside the content guesses the label."""

    title: str
    seen: bool
    accuracy: float
    gain: float


@dataclass(frozen=True)
class LeakageSection:
    """What the section shows.

    Attributes:
        metrics: of the stage `leakage`.
        verdicts: in plain words, the gravest first.
        near: similarity by modality from which on rows count as near.
        pairs: by modality, the closest first.
        rules: words that tell the label, as the stage lists them.
        facts: facts and columns by what they gain, the most first.
    """

    metrics: dict[str, Any]
    verdicts: list[Verdict]
    near: dict[str, float]
    pairs: dict[str, list[Pair]]
    rules: list[dict[str, Any]]
    facts: list[Fact]

    @property
    def has_labels(self) -> bool:
        """Whether anything guesses a label: nothing does where rows have none."""
        return self.metrics["majority_accuracy"] > 0 or any(fact.accuracy for fact in self.facts)


def read_leakage_section(
    metrics: dict[str, Any], leakage: Path, examples: Path, num_pairs: int
) -> LeakageSection:
    """Gather the section.

    Args:
        metrics: of the stage `leakage`.
        leakage: its table of pairs.
        examples: the examples table, for what the rows hold.
        num_pairs: pairs to show of each modality.

    Raises:
        ContractError: a table is unfinished, or the two are not of one run.
    """
    manifest = read_manifest(leakage, "leakage")
    params = LeakageParams.model_validate(manifest["params"])
    return LeakageSection(
        metrics=metrics,
        verdicts=verdicts(metrics, manifest["columns"], params),
        near=params.near.model_dump(),
        pairs=_pairs(leakage, examples, num_pairs),
        rules=manifest["rules"],
        facts=_facts(metrics, manifest["columns"]),
    )


def _pairs(leakage: Path, examples: Path, number: int) -> dict[str, list[Pair]]:
    rows = read_table(leakage, LEAKAGE, "leakage").to_pylist()
    shown = {
        modality: list(pairs)[:number]
        for modality, pairs in groupby(rows, key=lambda row: row["modality"])
    }
    wanted = {
        row[key] for pairs in shown.values() for row in pairs for key in ("test_id", "train_id")
    }
    contents = read_contents(examples, wanted)
    return {
        modality: [
            Pair(row["similarity"], contents[row["test_id"]], contents[row["train_id"]])
            for row in pairs
        ]
        for modality, pairs in shown.items()
    }


def _facts(metrics: dict[str, Any], columns: dict[str, Any]) -> list[Fact]:
    facts = [
        Fact(one.title, one.seen, **metrics["shortcuts"][name]) for name, one in SHORTCUTS.items()
    ]
    facts += [Fact(f"column “{name}”", True, **figures) for name, figures in columns.items()]
    return sorted(facts, key=lambda fact: (-fact.gain, -fact.accuracy, fact.title))
