"""The work of the stage `ingest`: a source's rows to the tables `examples` and `quarantine`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fuseline.contracts import QUARANTINE, TableWriter, examples_schema
from fuseline.data.ingest.assign import Assigner
from fuseline.data.ingest.candidate import Candidate
from fuseline.data.ingest.census import Census, take_census
from fuseline.data.ingest.evidence import keep_evidence
from fuseline.data.ingest.interactions import event_files, ingest_interactions
from fuseline.data.ingest.learnable import Found, unlearnable
from fuseline.data.ingest.notes import line_figures, name_notes
from fuseline.data.ingest.refusal import REASONS, Refusal
from fuseline.data.ingest.shards import ShardedTable, ShardPlan, media_bytes, move_to_quarantine
from fuseline.data.ingest.tally import Tally
from fuseline.data.ingest.validate import Validator
from fuseline.data.notices import Notice, ingest_notices, note_notices, told
from fuseline.data.sources import SOURCES, RawRow, Source
from fuseline.data.sources.base import brief
from fuseline.errors import ContractError
from fuseline.params.ingest import IngestParams
from fuseline.pipeline.dvc_cache import own_place
from fuseline.registry import lookup

# Rows that are compared with all earlier ones at once; with their media they are in memory.
BLOCK_ROWS = 1024
BLOCK_MEDIA_BYTES = 2**26


def ingest_examples(
    params: IngestParams,
    examples: Path,
    quarantine: Path,
    *,
    raw: Path,
    interactions: Path | None = None,
    evidence: Path | None = None,
) -> dict[str, Any]:
    """Read every row of the source once, and write it to one of the two tables.

    Args:
        params: section `ingest`.
        examples: folder of the kept rows, not there yet.
        quarantine: folder of the refused rows, not there yet; the refused events have a folder
            in it.
        raw: the folder whose content DVC watches; a manifest elsewhere is warned about.
        interactions: folder of the events of people with the kept rows, not there yet; None to
            write none.
        evidence: folder for the refused rows and the metrics of a run that is refused, what is
            there of an earlier one being removed; None to leave none.

    Returns:
        the metrics: counts of rows in, kept, refused by reason, and by split and label.

    Raises:
        ConfigError: the source's params are wrong; nothing was read yet.
        ContractError: nothing was kept, or more was refused than
            `ingest.max_quarantined_share` allows, or nothing could be learnt from what was kept.
    """
    if evidence:
        shutil.rmtree(evidence, ignore_errors=True)
    source = lookup(SOURCES, params.source, where="ingest.source")(params)
    events = event_files(params.interactions)
    _warn_if_unwatched(params, raw)
    rows = _Pass(source, params, examples, quarantine)
    rows.read()
    rows.refuse_labels()
    metrics = rows.metrics()
    print(rows.tally.summary())
    problem = _too_little(rows.tally, params)
    if not problem:
        found = rows.found()
        metrics["learnable"] = found.census.metrics()
        problem = _nothing_to_learn(found, params)
    if problem:
        _say(note_notices(metrics))
        kept_there = keep_evidence(evidence, quarantine, metrics) if evidence else ""
        raise ContractError(f"{problem}{kept_there}")
    rows.finish()
    if interactions is not None:
        metrics["interactions"] = ingest_interactions(
            params.interactions,
            events,
            rows.kept_ids() if events else (),
            interactions,
            quarantine / "interactions",
        )
    _say(ingest_notices(metrics))
    return metrics


def _say(notices: list[Notice]) -> None:
    if notices:
        print(told(notices))


class _Pass:
    """One pass over a source: the two tables, and what is known of the rows in them.

    Args:
        source: of the rows.
        params: section `ingest`.
        examples, quarantine: folders of the tables, not there yet.
    """

    def __init__(
        self, source: Source, params: IngestParams, examples: Path, quarantine: Path
    ) -> None:
        self.source, self.params = source, params
        schema = examples_schema(params.limits.max_images)
        self.kept = ShardedTable(TableWriter(examples, schema, "examples"))
        self.refused = ShardedTable(TableWriter(quarantine, QUARANTINE, "quarantine"))
        self.assigner, self.tally = Assigner(params), Tally(params.min_label_rows)
        self.validator = Validator(params, source.fields, source.targets)
        self.rare: dict[str, Refusal] = {}
        self.untrained: dict[str, Refusal] = {}

    def read(self) -> None:
        """Every row to one of the two tables, a block at a time."""
        source, plan = self.source, ShardPlan(self.params.shard_rows)
        rows = tqdm(source.rows(), "ingest", total=source.num_rows, unit="row", file=sys.stderr)
        for block in _blocks(rows, self.validator):
            self.tally.rows_in += len(block)
            candidates = [row for _, row in block if isinstance(row, Candidate)]
            assigned = self.assigner.assign(candidates)
            for row, judged in block:
                outcome = next(assigned) if isinstance(judged, Candidate) else judged
                if isinstance(outcome, Refusal):
                    if isinstance(judged, Candidate):
                        self.validator.forget(judged.record["example_id"])
                    record = self.validator.quarantined(row, outcome)
                    self.tally.refuse(record)
                    self.refused.add(record, plan.place(row.batch, 0))
                else:
                    self.tally.keep(outcome)
                    self.kept.add(outcome, plan.place(row.batch, media_bytes(outcome)))
        self.kept.flush()
        self.refused.flush()

    def refuse_labels(self) -> None:
        """Rows of labels that are rare, then of those that no training row bears, to quarantine;
        with them it is finished."""
        self.rare = self.tally.take_rare()
        for _ in move_to_quarantine(self.kept, self.refused, self.rare):
            # They were counted as their labels.
            pass
        self.untrained = _untrained(take_census(self.kept, {}))
        for example in move_to_quarantine(self.kept, self.refused, self.untrained):
            self.tally.take_back(example, self.untrained[example["label"]])
        counted = self.tally.rows_kept + self.tally.quarantined.total()
        assert self.tally.rows_in == counted, "a row was lost"
        self.refused.writer.finish(source=self.source.name, reasons=REASONS)

    def metrics(self) -> dict[str, Any]:
        """What `metrics/ingest.json` says of the rows, but for what can be learnt from them."""
        names = name_notes(self.params, self.validator.spellings)
        return self.tally.metrics() | {
            "duplicates": self.assigner.metrics(),
            "lines": line_figures(self.source.lines, self.tally.rows_in),
            "notes": [*self.source.notes, *names, *self.tally.notes()],
        }

    def found(self) -> Found:
        """What tells whether anything can be learnt."""
        return Found(
            census=take_census(self.kept, self.source.targets),
            groups=self.assigner.drawn_groups(),
            given_splits=self.assigner.given_splits,
            largest=self.assigner.largest_drawn(),
            rare_labels=len(self.rare),
            untrained_labels=len(self.untrained),
            has_labels="label" in self.source.fields,
            refused=self.tally.quarantined,
        )

    def kept_ids(self) -> set[str]:
        """Ids of the kept rows."""
        columns = (self.kept.read(name, ["example_id"]).column(0) for name in self.kept.names)
        return {example_id for column in columns for example_id in column.to_pylist()}

    def finish(self) -> None:
        """The kept rows are a table from here on."""
        max_images = self.params.limits.max_images
        self.kept.writer.finish(
            source=self.source.name,
            targets=dict(self.source.targets),
            label_conflicts=self.assigner.conflicts,
            # Tables whose rows are all split here stay as they were before.
            **({"given_splits": sorted(given)} if (given := self.assigner.given_splits) else {}),
            # Tables of one picture a row stay as they were before there could be more.
            **({"max_images": max_images} if max_images > 1 else {}),
            **self.tally.facts,
        )


def _blocks(
    rows: Iterable[RawRow], validator: Validator
) -> Iterator[list[tuple[RawRow, Candidate | Refusal]]]:
    """Rows with their verdicts, as many at a time as memory has room for."""
    block: list[tuple[RawRow, Candidate | Refusal]] = []
    held = 0
    for row in rows:
        judged = _judge(validator, row)
        block.append((row, judged))
        held += media_bytes(judged.record) if isinstance(judged, Candidate) else 0
        if len(block) == BLOCK_ROWS or held > BLOCK_MEDIA_BYTES:
            yield block
            block, held = [], 0
    yield block


def _judge(validator: Validator, row: RawRow) -> Candidate | Refusal:
    try:
        return validator.keep(row)
    except Refusal as refusal:
        return refusal


def _untrained(census: Census) -> dict[str, Refusal]:
    """Why the rows of labels cannot be kept that no training row bears."""
    return {
        label: Refusal(
            "untrained_label",
            f"None of the {rows} row(s) with the label {brief(label)!r} lies in the training split:"
            " give it training rows, or further groups.",
        )
        for label, rows in census.untrained.items()
    }


def _nothing_to_learn(found: Found, params: IngestParams) -> str | None:
    """What to say where nothing could be learnt; None where something can, and where the params
    want no more than a warning, which is printed."""
    notices = unlearnable(found, params)
    if not notices:
        return None
    if params.unlearnable == "warn":
        print("\n".join(f"warning: {notice}" for notice in notices), file=sys.stderr)
        return None
    told = "\n".join(f"- {notice}" for notice in notices)
    return f"source '{params.source}': nothing could be learnt from these rows.\n{told}\n"


def _too_little(tally: Tally, params: IngestParams) -> str | None:
    """What to say where too little is left to go on with; None where there is enough."""
    share = tally.quarantined.total() / tally.rows_in if tally.rows_in else 0.0
    remedy = "Mend the rows or the ingest params"
    if not tally.rows_kept:
        expected = "at least one row to keep"
    elif share and share >= params.max_quarantined_share:
        expected = f"less than {params.max_quarantined_share:.0%} of the rows quarantined"
        remedy += "; ingest.max_quarantined_share sets how many may be refused"
    else:
        return None
    return (
        f"source '{params.source}': expected {expected}, found {tally.rows_kept} of"
        f" {tally.rows_in} rows kept. {tally.commonest_reason()}{remedy}."
    )


def _warn_if_unwatched(params: IngestParams, raw: Path) -> None:
    path = getattr(getattr(params, params.source), "path", None)
    # A hub's data set is named, not a path; its revision is what tells versions apart.
    if path is None or (params.source == "datasets" and params.datasets.revision):
        return
    if not own_place(Path(path)).is_relative_to(raw.resolve()):
        print(
            f"warning: {path} lies outside {raw}, so DVC does not see it change. Move it and its"
            f" media to {raw}, or run `dvc repro --force ingest` after each change.",
            file=sys.stderr,
        )
