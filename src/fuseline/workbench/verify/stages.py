"""Every stage here beside the same stage of a revision, in the graph's order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.pipeline.environment import RECORD_FILE, environment_of, made_by, parse_record
from fuseline.pipeline.lock_file import LockedStage, in_order, overlap, read_lock
from fuseline.pipeline.revisions import Revision
from fuseline.pipeline.stage import CODE_FILE, LOCK_FILE
from fuseline.workbench.verify.declared import Declared
from fuseline.workbench.verify.figures import ABSENT, Difference, Splits, differences, is_readable
from fuseline.workbench.verify.reasons import speaks_of, unlike
from fuseline.workbench.verify.revision import commit_of

# Metrics of the stage that splits the rows.
SPLITS = "metrics/ingest.json"


class State(StrEnum):
    """How a stage's outputs, by their hashes in `dvc.lock`, stand to those of the revision."""

    SAME = "same bytes"
    WITHIN = "within tolerance"
    DIFFERS = "DIFFERS"
    EXPECTED = "differs as expected"


@dataclass(frozen=True)
class StageComparison:
    """One stage beside itself.

    Attributes:
        name: DVC's name of the stage.
        state: of its outputs.
        changes: what of the stage itself is not as in the revision: params, code, command, data.
        sources: stages that it reads from and whose outputs are not the same bytes.
        outs: outputs that are not the same bytes.
        figures: of its metrics that are not the same, the furthest apart first.
    """

    name: str
    state: State
    changes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    figures: tuple[Difference, ...] = ()

    @property
    def beyond(self) -> list[Difference]:
        """Figures beyond tolerance."""
        return [figure for figure in self.figures if figure.is_beyond]


@dataclass(frozen=True)
class Comparison:
    """All stages, and what is known of why they part.

    Attributes:
        revision: what was compared with.
        stages: in the graph's order.
        gone: stages of either lock file that `dvc.yaml` no longer has.
        reasons: what of the environment is not as in the revision, for the first stage with
            other bytes; empty where nothing is known.
    """

    revision: str
    stages: tuple[StageComparison, ...]
    gone: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def first_other_bytes(self) -> StageComparison | None:
        """The first stage whose outputs differ though inputs, params and code do not."""
        # In the graph's order, so that no stage before it gave other bytes.
        parted = (State.WITHIN, State.DIFFERS)
        return next((stage for stage in self.stages if stage.state in parted), None)

    @property
    def first_diverged(self) -> StageComparison | None:
        """The first stage beyond tolerance whose inputs are not."""
        return next((stage for stage in self.stages if stage.state is State.DIFFERS), None)


def compare(root: Path, name: str, tolerance: float) -> Comparison:
    """Compare the last run at `root` with what a revision committed.

    Args:
        root: the repository's folder.
        name: of the revision.
        tolerance: how far scores between 0 and 1 may lie apart; see
            `fuseline.workbench.verify.figures`.

    Outputs are compared by the hashes in the lock files. Of those here only metrics are held
    against their hashes; that of a model or a table is what the last run wrote down.

    Raises:
        ConfigError: no git repository or revision, no lock file on one side, a stage that never
            ran here, outputs that are missing, or metrics that are not those of the lock file.
    """
    revision = commit_of(root, name)
    there = f"{revision}:{LOCK_FILE}"
    before = in_order(read_lock(_content(revision.read(LOCK_FILE.name), there), there))
    here = LOCK_FILE.name
    locked = in_order(read_lock(_content(_read(root / here), here), here))
    declared = Declared(root)
    now = {stage: entry for stage, entry in locked.items() if stage in declared}
    never_run = [stage for stage in before if stage in declared and stage not in now]
    if never_run:
        raise ConfigError(f"{', '.join(never_run)}: never run here. Run `dvc repro` first.")
    _check_outputs(root, now)
    compared: dict[str, StageComparison] = {}
    for stage in now:
        compared[stage] = _compare_stage(root, stage, now, before, compared, revision, tolerance)
    # Of both: DVC leaves what a stage once was in its lock file.
    gone = tuple(stage for stage in {**before, **locked} if stage not in declared)
    found = Comparison(str(revision), tuple(compared.values()), gone)
    first = found.first_other_bytes
    return replace(found, reasons=tuple(_reasons(root, revision, first.name))) if first else found


def _check_outputs(root: Path, stages: dict[str, LockedStage]) -> None:
    """Refuse a workspace that does not hold what its lock file names: a fresh clone, say."""
    for path, md5 in [item for stage in stages.values() for item in stage.outs.items()]:
        if not (root / path).exists():
            raise ConfigError(
                f"{path}: not found, so there is nothing to compare."
                " Run `dvc repro --force` to make everything here."
            )
        if is_readable(path):
            found = hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest()
            if found != md5:
                raise ConfigError(
                    f"{path}: not what {LOCK_FILE} says the last run wrote. Run `dvc repro` to make"
                    " it again."
                )


def _compare_stage(
    root: Path,
    name: str,
    now: dict[str, LockedStage],
    before: dict[str, LockedStage],
    compared: dict[str, StageComparison],
    revision: Revision,
    tolerance: float,
) -> StageComparison:
    here = now[name]
    there = before.get(name)
    if there is None:
        return StageComparison(name, State.EXPECTED, (f"not in {revision}",))
    outs = tuple(path for path, sha in here.outs.items() if there.outs.get(path) != sha)
    if not outs:
        return StageComparison(name, State.SAME)
    above = [stage for other, stage in compared.items() if here.reads_from(now[other])]
    sources = [stage for stage in above if stage.state is not State.SAME]
    made_inputs = {path for stage in now.values() for path in stage.outs}
    changes = tuple(_changes(here, there, made_inputs))
    figures = _figures(root, [path for path in outs if path in there.outs], revision, tolerance)
    has_figures = any(is_readable(path) for path in here.outs)
    if changes or any(stage.state is State.EXPECTED for stage in sources):
        state = State.EXPECTED
    elif has_figures:
        state = State.DIFFERS if any(one.is_beyond for one in figures) else State.WITHIN
    else:
        state = State.WITHIN if sources else State.DIFFERS
    names = tuple(stage.name for stage in sources)
    return StageComparison(name, state, changes, names, outs, tuple(figures))


def _changes(here: LockedStage, there: LockedStage, made: set[str]) -> Iterator[str]:
    """What of the stage itself is not as it was; what other stages made is no change of its own."""
    for key in sorted(here.params.keys() | there.params.keys()):
        was, value = there.params.get(key, ABSENT), here.params.get(key, ABSENT)
        if was != value:
            yield f"{key} {was} -> {value}"
    # What the stage `code` writes is code too, of an installed package that no `deps` name.
    hashes = [one.outs.get(CODE_FILE.name) for one in (here, there)]
    if here.code != there.code or hashes[0] != hashes[1]:
        yield "its code"
    for path in sorted(here.deps.keys() & there.deps.keys()):
        if here.deps[path] != there.deps[path] and not any(overlap(path, out) for out in made):
            yield path
    declared = [(one.command, one.deps.keys(), one.outs.keys()) for one in (here, there)]
    if declared[0] != declared[1]:
        yield "its entry in dvc.yaml"


def _figures(root: Path, outs: list[str], revision: Revision, tolerance: float) -> list[Difference]:
    """Figures of a stage's metrics files that are not the same."""
    found: list[Difference] = []
    splits = Splits.read(revision.read(SPLITS))
    for path in filter(is_readable, outs):
        before = revision.read(path)
        if before is None:
            raise ConfigError(
                f"{revision}:{path}: expected the metrics that its {LOCK_FILE} names, found none."
                " Compare with a revision that has them committed."
            )
        found += differences(path, before, (root / path).read_bytes(), tolerance, splits)
    return sorted(found, key=lambda item: -item.excess)


def _reasons(root: Path, revision: Revision, stage: str) -> list[str]:
    """What is known of why a stage gave other bytes."""
    text = revision.read(str(RECORD_FILE))
    if text is None:
        return [f"{revision} has no {RECORD_FILE}, so who made its results is not known"]
    record = parse_record(text.decode(), f"{revision}:{RECORD_FILE}")
    there = environment_of(record, stage)
    if there is None:
        return [f"{RECORD_FILE} of {revision} does not name the stage"]
    if not speaks_of(record["stages"][stage]["outs"], revision.read):
        return [
            f"{RECORD_FILE} of {revision} speaks of other outputs than those committed there, so"
            " who made them is not known"
        ]
    here = made_by(root, stage)
    if here is None:
        return [
            f"{RECORD_FILE} does not know who made the outputs here: they came from a cache, or"
            f" were changed. `dvc repro --force --single-item {stage}` makes them here"
        ]
    return unlike(there, here)


def _content(content: bytes | None, where: str) -> bytes:
    if content is None:
        raise ConfigError(f"{where}: not found. Run `dvc repro`, and commit what it writes.")
    return content


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
