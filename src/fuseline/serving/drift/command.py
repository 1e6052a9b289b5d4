"""What `fuseline drift` does with its options."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.contract import ExportContract, read_contract
from fuseline.serving.drift.compare import MIN_ROWS, Finding, Pair, compare, smallest_move
from fuseline.serving.drift.log import Logs, shortened
from fuseline.serving.drift.tally import Tally
from fuseline.serving.scores import REFERENCE_FILE, Score, read_reference

# Labels that are told; JSON has all.
MAX_TOLD = 5
# Characters of a hash that are told.
SHORT = 12


@dataclass(frozen=True)
class Asked:
    """What is compared.

    Attributes:
        logs: files, the oldest first.
        export: folder of the export.
        last: so many rows at most, the last; None for all.
        false_alarms: how often drift may be told where nothing moved.
    """

    logs: Sequence[Path]
    export: Path
    last: int | None
    false_alarms: float


@dataclass(frozen=True)
class Look:
    """What was found.

    Attributes:
        asked: what was compared.
        weights: hash of the model.
        log, test: counts of the rows.
        others: rows of other models by their hash, which are left out.
        unfinished: files whose last line was still being written.
        findings: by what was looked at.
    """

    asked: Asked
    weights: str
    log: Tally
    test: Tally
    others: Counter[str]
    unfinished: list[Path]
    findings: list[Finding]

    @property
    def drifted(self) -> bool:
        """Whether anything moved."""
        return any(finding.moved for finding in self.findings)

    @property
    def is_enough(self) -> bool:
        """Whether there are rows enough to say anything."""
        return min(self.log.rows, self.test.rows) >= MIN_ROWS

    def as_json(self) -> str:
        """All of it."""
        content = {
            "drift": self.drifted,
            "enough_rows": self.is_enough,
            "weights": self.weights,
            "rows": self.log.rows,
            "test_rows": self.test.rows,
            "rows_of_other_models": dict(self.others),
            "formats": dict(self.log.formats),
            "unfinished": [str(path) for path in self.unfinished],
            "false_alarms": self.asked.false_alarms,
            "smallest_move": self._smallest(),
            "findings": [_finding(one) for one in self.findings],
        }
        return json.dumps(content, ensure_ascii=False, indent=2)

    def described(self) -> str:
        """In plain words: what moved, what did not, what cannot be said."""
        parts = {
            "Moved": [one for one in self.findings if one.moved],
            "Not shown to have moved": [
                one for one in self.findings if one.p_value is not None and not one.moved
            ],
            "Not tested": [one for one in self.findings if one.p_value is None],
        }
        lines = [*self._head()]
        for title, found in parts.items():
            if found:
                lines += ["", f"{title}:", *(line for one in found for line in _told(one))]
        return "\n".join(lines)

    def _head(self) -> Iterator[str]:
        window = "The last " if self.asked.last else ""
        yield (
            f"{window}{self.log.rows} rows of the model {shortened(self.weights[:SHORT])} beside"
            f" {self.test.rows} test rows."
        )
        if not self.is_enough:
            yield (
                f"Too few rows to say anything: {MIN_ROWS} are needed on either side, and some"
                " hundreds to see more than large moves."
            )
        else:
            yield "Drift: something moved." if self.drifted else "No drift found."
            yield (
                f"Where nothing moves, drift is told in at most {self.asked.false_alarms:.1%} of"
                " such looks. A share near one half has to move by about"
                f" {100 * self._smallest():.0f} points to be found every second time."
            )
        for weights, rows in sorted(self.others.items()):
            yield f"{rows} rows of another model, {shortened(weights[:SHORT])}, are left out."
        if rows := self.log.formats["int8"]:
            yield f"{rows} rows were answered in integers, the test rows in float32."
        for path in self.unfinished:
            yield f"{path}: its last line is not finished and left out."

    def _smallest(self) -> float:
        tests = sum(one.p_value is not None for one in self.findings)
        return smallest_move(self.log, self.test, tests, self.asked.false_alarms)


def look(asked: Asked) -> Look:
    """Compare logs with the test rows.

    Raises:
        ConfigError: no export is there, a log cannot be read, or none of its rows is of the export.
        ContractError: a line is no line of a log of scores of this model.
    """
    contract = read_contract(asked.export)
    test = Tally.of(
        Score.model_construct(weights="", format="", **row) for row in read_reference(asked.export)
    )
    if not test.rows:
        raise ConfigError(
            f"{asked.export / REFERENCE_FILE}: expected scores of test rows, found none: the data"
            " had no test split. Give it one (ingest.split), and export again."
        )
    logs, others = Logs(asked.logs), Counter[str]()
    log = Tally.of(_own(logs, contract, others, asked))
    if not log.rows:
        raise ConfigError(_nothing(asked, others))
    findings = compare(log, test, contract.modalities, asked.false_alarms)
    weights = contract.origin.weights
    return Look(asked, weights, log, test, others, logs.unfinished, findings)


def _nothing(asked: Asked, others: Counter[str]) -> str:
    named = ", ".join(str(path) for path in asked.logs)
    if not others:
        return f"{named}: expected scores, found none. Name a log that has rows."
    return (
        f"{named}: expected rows of the model of {asked.export}, found {others.total()} of others"
        f" ({', '.join(shortened(one[:SHORT]) for one in sorted(others))}). Name the export that"
        " answered them with --export."
    )


def _own(
    logs: Logs, contract: ExportContract, others: Counter[str], asked: Asked
) -> Iterator[Score]:
    """Scores of this model, the last of them where so many are asked for; others are counted."""
    kept = _checked(logs, contract, others)
    return iter(deque(kept, asked.last)) if asked.last else kept


def _checked(logs: Logs, contract: ExportContract, others: Counter[str]) -> Iterator[Score]:
    first = contract.tasks[0]
    labels = set(first.facts["labels"]) if first.kind == "classification" else {None}
    modalities = set(contract.modalities)
    for where, score in logs:
        if score.weights != contract.origin.weights:
            others[score.weights] += 1
            continue
        if score.label not in labels or (score.confidence is None) != (score.label is None):
            raise _foreign(where, "label", "a label of the export with its confidence", score.label)
        if unknown := sorted(set(score.present) - modalities):
            raise _foreign(
                where, "present", f"some of {', '.join(contract.modalities)}", unknown[0]
            )
        yield score


def _foreign(where: str, key: str, expected: str, found: str | None) -> ContractError:
    return ContractError(
        f"{where}: {key}: expected {expected}, found '{shortened(str(found))}'. Take the line out,"
        " or name another file."
    )


def _told(finding: Finding) -> Iterator[str]:
    title = {
        "labels": "predicted labels",
        "confidence": "confidence",
        "out_of_scope": "share out of scope",
        "presence": f"rows with {finding.of}",
    }[finding.name]
    sure = finding.why if finding.p_value is None else f"p = {finding.p_value:.2g}, corrected"
    yield f"  {title} ({sure})"
    if finding.medians:
        own, other = finding.medians
        yield f"    median {own:.3f}, of the test rows {other:.3f}"
    for pair in (shown := _shown(finding)):
        yield f"    {shortened(pair.name)}: {_shares(pair)}"
    if finding.moved and (more := len(finding.pairs) - len(shown)) > 0:
        yield f"    and {more} more, which moved less"


def _shown(finding: Finding) -> list[Pair]:
    """Shares that are told: of what all rows have, or none has, there is nothing more to tell."""
    if finding.name == "confidence":
        return finding.pairs
    if all(pair.log.value == pair.test.value in (0.0, 1.0) for pair in finding.pairs):
        return []
    return finding.pairs[:MAX_TOLD] if finding.moved else finding.pairs[:1]


def _shares(pair: Pair) -> str:
    own, other = (
        f"{100 * share.value:.1f} % [{100 * share.interval[0]:.1f}, {100 * share.interval[1]:.1f}]"
        for share in (pair.log, pair.test)
    )
    return f"{own} of the rows, {other} of the test rows ({100 * pair.moved_by:+.1f} points)"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        **({"modality": finding.of} if finding.of else {}),
        "moved": finding.moved,
        "p_value": finding.p_value,
        **({"why": finding.why} if finding.why else {}),
        **(
            {"medians": dict(zip(("log", "test"), finding.medians, strict=True))}
            if finding.medians
            else {}
        ),
        "shares": [
            {
                "of": pair.name,
                **{
                    side: {
                        "rows": share.count,
                        "share": share.value,
                        "low": share.interval[0],
                        "high": share.interval[1],
                    }
                    for side, share in (("log", pair.log), ("test", pair.test))
                },
            }
            for pair in finding.pairs
        ],
    }
