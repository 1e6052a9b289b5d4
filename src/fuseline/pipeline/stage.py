"""What every stage script does around its one package function.

A stage checks all of `params.yaml`, hashes its inputs, writes its outputs beside their final
places and moves them there at the end, and ends when the `dvc` that started it ends.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from fuseline.config import PARAMS_FILE, read_yaml
from fuseline.contracts import hash_path, write_json
from fuseline.contracts.durable import put
from fuseline.errors import ContractError, FuselineError
from fuseline.pipeline import durations
from fuseline.pipeline.environment import Maker
from fuseline.pipeline.interruption import STARTED_BY, end, full_disk, watch
from fuseline.pipeline.locks import held

CODE_FILE = Path("code.json")
SOURCES, STAGES = Path("src"), Path("stages")
WORK_FOLDER = ".checkpoints"
LOCK_FILE = Path("dvc.lock")
FINISHED = "finished.json"
# Of an input: size in bytes and modification time by file.
Signature = dict[str, tuple[int, int]]
# How long finished work is kept that no lock file here speaks of.
UNRECORDED_SECONDS = 3600.0

# Read when the libraries load.
LIBRARY_SETTINGS = {
    # Threads that spin for long while they wait slow a shared machine tenfold; threads that never
    # spin slow a quiet one by half.
    "GOMP_SPINCOUNT": "20000",
    # Reports of heads that come and go between stages say nothing that a user can act on.
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


@dataclass
class StageRun:
    """One run of a stage: where its outputs grow, and what identifies its work.

    Attributes:
        name: the stage's name, as in `dvc.yaml` without the matrix cell.
        fingerprint: SHA-256 over the stage's params, code, inputs and environment.
        work: folder for progress that outlives a kill; empty at the first run of a fingerprint.
    """

    name: str
    fingerprint: str
    work: Path
    _partial: dict[Path, Path] = field(default_factory=dict)

    def out(self, path: Path) -> Path:
        """Return where to write output `path`; it is moved into place when the stage ends."""
        return self._partial[path]


@contextmanager
def run_stage(
    name: str,
    *,
    params: list[str],
    inputs: list[Path],
    outputs: list[Path],
    cell: str = "",
) -> Iterator[StageRun]:
    """Frame one run of a stage.

    Args:
        name: the stage's name, its key in `code.json`.
        params: names of the sections (or leaf keys such as `base.seed`) that the stage reads.
        inputs: files and folders it reads.
        outputs: files and folders it writes, metrics included.
        cell: the matrix cell, where the stage has several.

    Raises:
        SystemExit: with status 1, after a readable message, on any `FuselineError` and when a disk
            is full. Work in progress stays in any case.
    """
    end_with_dvc()
    for variable, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(variable, value)
    try:
        _remove_recorded_work()
        content = read_yaml(PARAMS_FILE)
        check_all_params(content)
        before = {path: _signature(path) for path in inputs}
        _check_weights(content, inputs)
        hashes = {path.as_posix(): hash_path(path) for path in inputs}
        maker = Maker.of_stage(f"{name}@{cell}" if cell else name, content, params)
        fingerprint = _fingerprint(name, cell, content, params, hashes, maker)
        run = StageRun(name, fingerprint, _work_folder(name, cell, fingerprint))
        with _exclusive(run.work.parent):
            if goes_on := run.work.exists():
                _check_code(name)
            (run.work / FINISHED).unlink(missing_ok=True)
            run._partial.update({path: _fresh_partial(path) for path in outputs})
            try:
                yield run
            except Exception:
                for path in outputs:
                    _fresh_partial(path)
                raise
            _check_unchanged(before, hashes)
            for path, partial in run._partial.items():
                _move_into_place(partial, path)
            maker.record(outputs)
            read = {key: leaf(content, key) for key in params}
            _note_duration(maker.stage, read, before, whole=not goes_on)
            if run.work.exists():
                write_json(run.work / FINISHED, _file_hashes(outputs))
    except FuselineError as error:
        print(f"\n{name}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception as error:
        if (said := full_disk(error)) is None:
            raise
        folders = ", ".join(sorted({f"{path.parent}/" for path in outputs} | {f"{WORK_FOLDER}/"}))
        print(
            f"\n{name}: {said}. Free some space where the stage writes ({folders}), then run `dvc"
            " repro` again: it goes on with what was finished.",
            file=sys.stderr,
        )
        raise SystemExit(1) from None


def check_all_params(content: dict[str, Any]) -> None:
    """Refuse a params file with any wrong key, before any work begins.

    The classes of all sections are imported by name, outside the import graph that `code.json`
    hashes: this check can stop a stage but not change what it writes.
    """
    importlib.import_module("fuseline.params.whole").check(content)


def _note_duration(
    stage: str, params: dict[str, Any], inputs: Mapping[Path, Signature], *, whole: bool
) -> None:
    """Keep how long this stage took since its process began: a user waits for its imports too."""
    seconds = round(time.time() - psutil.Process().create_time(), 1)
    sizes = {
        path.as_posix(): sum(size for size, _ in files.values()) for path, files in inputs.items()
    }
    durations.note(_work_root(), stage, durations.LastRun(seconds, params, sizes, whole))


def _check_weights(content: dict[str, Any], inputs: list[Path]) -> None:
    """Refuse params that weigh a label which the examples lack, in every stage that reads these.

    The module is imported by name for the reason that `check_all_params` gives.
    """
    weighed = importlib.import_module("fuseline.pipeline.weighed_labels")
    if weighed.EXAMPLES_FOLDER in inputs:
        weighed.check_weights(content, weighed.EXAMPLES_FOLDER)


def leaf(content: Mapping[str, Any], key: str) -> Any:
    """Value of a dotted key of nested mappings."""
    value: Any = content
    for part in key.split("."):
        value = value[part]
    return value


def _fingerprint(
    name: str,
    cell: str,
    content: dict[str, Any],
    params: list[str],
    hashes: dict[str, str],
    maker: Maker,
) -> str:
    if not CODE_FILE.exists():
        raise ContractError(f"{CODE_FILE}: not found. Run `dvc repro code` to make it.")
    identity = {
        "stage": f"{name}@{cell}",
        "code": json.loads(CODE_FILE.read_text(encoding="utf-8")).get(name),
        "params": {key: leaf(content, key) for key in params},
        "inputs": hashes,
        "environment": maker.environment,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _check_code(name: str) -> None:
    """Refuse to go on with work where the hashes of the code are older than the code: `dvc repro
    --single-item` does not run the stage that makes them.

    The module is imported by name for the reason that `check_all_params` gives.
    """
    if not (STAGES / f"{name}.py").exists():
        return
    provenance = importlib.import_module("fuseline.pipeline.provenance")
    now = provenance.SourceTree.of(SOURCES, STAGES).hash_closure(f"{STAGES}.{name}")
    if json.loads(CODE_FILE.read_text(encoding="utf-8")).get(name) != now:
        raise ContractError(
            f"{CODE_FILE}: is not of the code that runs, so that work in progress may be of other"
            " code. Run `dvc repro code` first."
        )


def _work_folder(name: str, cell: str, fingerprint: str) -> Path:
    """Progress folder of this fingerprint; those of other params stay, for their next run.

    It lies in the main repository even when an experiment runs in a temporary copy, whose own
    folder is removed when the experiment fails.
    """
    family = _work_root() / (f"{name}@{cell}" if cell else name)
    family.mkdir(parents=True, exist_ok=True)
    return family / fingerprint[:16]


def _work_root() -> Path:
    return Path(os.environ.get("DVC_ROOT", ".")) / WORK_FOLDER


def _file_hashes(outputs: list[Path]) -> list[str]:
    """Of the outputs that are files, as DVC's lock file names them."""
    files = [path.read_bytes() for path in outputs if path.is_file()]
    return [hashlib.md5(content, usedforsecurity=False).hexdigest() for content in files]


def _remove_recorded_work() -> None:
    """Remove the progress of stages that finished and that DVC has recorded since.

    A stage cannot remove its own: if DVC is killed before it writes its lock file, the stage is run
    again, and would start from nothing; so, it only writes its outputs once more. A run is recorded
    where a younger lock file has the hashes of its outputs. Those of experiments are in lock files
    of their own, so what finished long ago goes too.
    """
    lock = LOCK_FILE.read_text(encoding="utf-8") if LOCK_FILE.exists() else ""
    written = LOCK_FILE.stat().st_mtime if lock else 0.0
    for marker in _work_root().glob(f"*/*/{FINISHED}"):
        try:
            finished = marker.stat().st_mtime
            hashes = json.loads(marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Another stage removes it, or was killed while it wrote it.
            continue
        recorded = finished < written and all(value in lock for value in hashes)
        if recorded or finished < time.time() - UNRECORDED_SECONDS:
            # One that is at work there holds the lock, and may be reading.
            with suppress(ContractError), _exclusive(marker.parents[1]):
                shutil.rmtree(marker.parent, ignore_errors=True)


@contextmanager
def _exclusive(family: Path) -> Iterator[None]:
    """Hold the stage's lock, so that two runs never share a checkpoint.

    Raises:
        ContractError: another living process holds it.
    """
    busy = f"another run of stage '{family.name}' is at work here. Wait for it or stop it."
    with held(family / "lock", busy):
        yield


def _fresh_partial(path: Path) -> Path:
    partial = path.with_name(f".{path.name}.partial")
    if partial.is_dir():
        shutil.rmtree(partial)
    partial.unlink(missing_ok=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    return partial


def _move_into_place(partial: Path, path: Path) -> None:
    if not partial.exists():
        raise ContractError(f"{path}: the stage declared this output but did not write it.")
    put(partial, path)


def _signature(path: Path) -> Signature:
    """Size and modification time of every file; raises ContractError where there is none."""
    if not path.exists():
        raise ContractError(f"{path}: input not found. Run `dvc repro`, or `dvc pull` to fetch it.")
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def _check_unchanged(before: Mapping[Path, Signature], hashes: dict[str, str]) -> None:
    """DVC records inputs after the command, so a change during it would go unseen."""
    for path, signature in before.items():
        if _signature(path) != signature and hash_path(path) != hashes[path.as_posix()]:
            raise ContractError(
                f"{path}: changed while the stage ran, so its result would match neither version."
                " Run `dvc repro` again."
            )


def end_with_dvc() -> None:
    """End this process when the `dvc` above it is gone: an orphaned trainer runs on otherwise."""
    if "DVC_ROOT" not in os.environ:
        return
    above = []
    try:
        for process in psutil.Process().parents():
            above.append(process)
            if "dvc" in " ".join(process.cmdline()):
                break
        else:
            above = []
    except psutil.Error:
        # One of them ended while it was looked at.
        above = []
    if not above:
        if os.getppid() != STARTED_BY:
            end("the end of its `dvc`", 128 + signal.SIGTERM)
        return

    watch(above, lambda: end("the end of its `dvc`", 128 + signal.SIGTERM))
