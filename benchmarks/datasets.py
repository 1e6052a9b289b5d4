"""Small data sets in as many shapes as people's data has, each from `fuseline init --yes` on.

After it comes what `make repro` does: `fuseline check`, the stages, `fuseline summary`. Every run
ends with a report, or stops in `init`, `check` or `ingest` with a sentence; anything else is a
fault. `small_sets/verdicts.json` has what is expected of each, and a run fails where one differs.
Most stages run in this process, some sets by `dvc repro`. Other params than those that `init`
decides are small: what is learnt means nothing here.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from click.testing import Result

from benchmarks.small_sets import SETS
from fuseline.config import read_yaml
from fuseline.pipeline.metrics_file import read_metrics
from tests.support.first_run import SMALL, begin, command, run, stages_in_order
from tests.support.repository import REPOSITORY
from tests.support.workspace import Workspace

VERDICTS = Path(__file__).parent / "small_sets" / "verdicts.json"
REPORT = Path("reports/index.html")
# Stages behind these are too late to stop in.
IN_TIME = ("init", "check", "ingest")
_SHOWN_CHARACTERS = 160
# What `dvc repro` says last of the stage that it stopped in.
_FAILED = re.compile(r"failed to reproduce '([^']+)'")


@dataclass(frozen=True)
class Stop:
    """A command that failed, and what it said last."""

    stage: str
    said: str
    crashed: bool = False

    def __str__(self) -> str:
        is_fault = self.crashed or self.stage not in IN_TIME
        return f"{'FAULT, ' if is_fault else ''}stopped in {self.stage}: {self.said}"


def verdict(name: str, folder: Path) -> str:
    """Run a data set from `init` to the report in an empty folder; say how it ended."""
    root = folder / "clone"
    if SETS[name].by_dvc:
        stop = _by_dvc(name, root)
    else:
        begin(root)
        with contextlib.chdir(root), contextlib.redirect_stderr(io.StringIO()):
            stop = _here(name)
    if stop:
        return str(stop).replace(f"{root}/", "").replace(str(root), ".")
    return _finished(root)


def _here(name: str) -> Stop | None:
    path = SETS[name].make(Path("data/raw/mine"))
    for words in (["init", str(path), "--yes"], ["check"]):
        if stop := _stopped(words[0], command(*words)):
            return stop
    for stage in stages_in_order():
        if stop := _stopped(stage.cell, run(stage)):
            return stop
    if stop := _stopped("summary", command("summary")):
        return stop
    return None if REPORT.is_file() else Stop("report", "no page is there")


def _stopped(stage: str, result: Result) -> Stop | None:
    if result.exit_code == 0:
        return None
    if not isinstance(result.exception, SystemExit):
        return Stop(stage, f"Traceback: {result.exception!r}", crashed=True)
    return Stop(stage, _last_words(stage, result.output))


def _by_dvc(name: str, root: Path) -> Stop | None:
    workspace = Workspace.create(root)
    path = SETS[name].make(root / "data" / "raw" / "mine").relative_to(root)
    code = {"PYTHONPATH": str(root / "src")}
    shutil.copy(REPOSITORY / "params.yaml", root)
    workspace.set_params(SMALL)
    init = ["fuseline", "init", str(path), "--yes"]
    for words in (init, ["fuseline", "check"], ["dvc", "repro"], ["fuseline", "summary"]):
        done = workspace.run(*words, **code)
        if done.returncode:
            found = _FAILED.search(done.stdout)
            stage = found[1] if found else words[1]
            return Stop(stage, _last_words(stage, done.stdout), "Traceback" in done.stdout)
    return None if (root / REPORT).is_file() else Stop("report", "no page is there")


def _last_words(stage: str, output: str) -> str:
    """From where a command names itself the last time, on one line; else all that it said."""
    script = stage.partition("@")[0]
    words = output.rpartition(f"\n{script}: ")[2] if f"\n{script}: " in f"\n{output}" else output
    words = words.partition("\nERROR: failed to reproduce")[0]
    return " ".join(words.removeprefix(f"{script}: ").split())


def _finished(root: Path) -> str:
    """What was learnt, from which columns, and what became of the rows."""
    params = read_yaml(root / "params.yaml")
    figures = read_metrics(root / "metrics" / "ingest.json")
    columns = params["ingest"][params["ingest"]["source"]].get("columns") or {}
    (task, *_) = params["finetune"]["tasks"]
    target = columns.get(task["target"] or "", task["target"])
    learnt = f"{task['kind']} of {target}" if target else task["kind"]
    uses = {field: columns.get(field) for field in (*params["base"]["modalities"], *_BESIDE)}
    said = [f"{field} {_listed(names)}" for field, names in uses.items() if names]
    refused = {key: rows for key, rows in figures["quarantined"].items() if rows}
    rows = f"{figures['rows_kept']} of {figures['rows_in']} rows kept"
    why = f" ({', '.join(f'{reason} {rows}' for reason, rows in refused.items())})"
    return f"finished: {learnt}; {'; '.join([*said, rows])}{why if refused else ''}"


_BESIDE = ("id", "group", "split", "lang", "license", "provenance")


def _listed(names: str | list[str]) -> str:
    return names if isinstance(names, str) else "+".join(names)


def main(names: Sequence[str] = (), *, accept: bool = False, written: Path | None = None) -> None:
    """Run data sets, print how each ended, fail where one did not end as expected.

    Args:
        names: of `SETS`; all where there are none.
        accept: write what is found into the table of what is expected.
        written: where to write the verdicts found as JSON.
    """
    if "FUSELINE_TEST_DATA" not in os.environ:
        sys.exit("FUSELINE_TEST_DATA is not set: name the folder of the outside data sets.")
    if unknown := [name for name in names if name not in SETS]:
        sys.exit(f"unknown data set {', '.join(unknown)}; there are: {', '.join(SETS)}")
    expected = json.loads(VERDICTS.read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for name in names or SETS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found[name] = verdict(name, Path(folder))
        mark = " " if found[name] == expected.get(name) else "*"
        seconds = time.monotonic() - start
        print(f"{mark} {name:<24}{seconds:4.0f} s  {_short(found[name])}", flush=True)
    other = [name for name in found if found[name] != expected.get(name)]
    print(_sums(list(found.values())))
    if written:
        written.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if accept:
        table = {name: found.get(name, expected.get(name, "")) for name in SETS}
        text = json.dumps(table, indent=1, ensure_ascii=False)
        VERDICTS.write_text(text + "\n", encoding="utf-8")
    elif other:
        pairs = [f"{n}\n  expected {expected.get(n)}\n  found    {found[n]}" for n in other]
        sys.exit("\n".join([f"{len(other)} ended otherwise than expected:", *pairs]))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _sums(found: Sequence[str]) -> str:
    finished = sum(text.startswith("finished") for text in found)
    faults = sum(text.startswith("FAULT") for text in found)
    stopped = len(found) - finished - faults
    return (
        f"{len(found)} data sets: {finished} finished, {stopped} stopped in time, {faults} faults"
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="data sets; all by default")
    parser.add_argument("--accept", action="store_true", help="expect from now on what is found")
    parser.add_argument("--json", type=Path, help="where to write the verdicts")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parsed()
    main(arguments.names, accept=arguments.accept, written=arguments.json)
