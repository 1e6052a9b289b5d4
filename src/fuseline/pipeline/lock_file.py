"""What a `dvc.lock` says of each stage.

The file is read by itself: DVC's own interface resolves the whole graph of the workspace, and of a
revision through a file system of git objects, in seconds where this takes a tenth of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fuseline.errors import ConfigError
from fuseline.pipeline.stage import CODE_FILE, LOCK_FILE


@dataclass(frozen=True)
class LockedStage:
    """One stage, or one cell of a matrix, as it last ran.

    Attributes:
        command: what DVC ran.
        deps: files and folders it read, to their hashes.
        outs: files and folders it wrote, metrics and plots included, to their hashes.
        params: dotted leaf keys of its params, to their values.
        code: hash of its code; empty for the stage that writes these hashes.
    """

    command: str
    deps: Mapping[str, str]
    outs: Mapping[str, str]
    params: Mapping[str, Any]
    code: str

    def reads_from(self, other: LockedStage) -> bool:
        """Whether one of its inputs is an output of `other`, or lies in one, or holds one."""
        return any(overlap(dep, out) for dep in self.deps for out in other.outs)


def read_lock(text: bytes, where: str) -> dict[str, LockedStage]:
    """Stages of a lock file, in its order.

    Raises:
        ConfigError: the text is no lock file.
    """
    try:
        content = YAML(typ="safe").load(text)
        return {name: _stage(entry) for name, entry in content.get("stages", {}).items()}
    except (YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{where}: expected a lock file of DVC, found {type(error).__name__}: {error}."
            " Settle the merge if there was one, then run `dvc repro`."
        ) from None


def in_order(stages: Mapping[str, LockedStage]) -> dict[str, LockedStage]:
    """The same stages, each after those that it reads from.

    Raises:
        ConfigError: some read from one another in a circle, which DVC makes nowhere.
    """
    graph = {
        name: [other for other in stages if other != name and stage.reads_from(stages[other])]
        for name, stage in stages.items()
    }
    try:
        return {name: stages[name] for name in TopologicalSorter(graph).static_order()}
    except CycleError as error:
        circle = " < ".join(error.args[1])
        raise ConfigError(
            f"{LOCK_FILE}: expected stages in an order, found a circle: {circle}. Remove"
            " those that dvc.yaml has no longer."
        ) from None


def writer_of(stages: Mapping[str, LockedStage], path: str) -> str | None:
    """The stage that wrote an output; None where none did."""
    return _writers(stages).get(path)


def overtaken_by(stages: Mapping[str, LockedStage], name: str) -> str | None:
    """The stage nearest to the beginning that has run since `name`, or since one that `name` hangs
    on, read what it writes; None where `is_current`."""
    writers = _writers(stages)
    for path, read in stages[name].deps.items():
        writer = writers.get(path, name)
        if writer == name:
            continue
        if earlier := overtaken_by(stages, writer):
            return earlier
        if stages[writer].outs[path] != read:
            return writer
    return None


def hash_of(stages: Mapping[str, LockedStage], path: str) -> str | None:
    """Hash of an output; None where no stage wrote it."""
    writer = _writers(stages).get(path)
    return None if writer is None else stages[writer].outs[path]


def is_current(stages: Mapping[str, LockedStage], name: str) -> bool:
    """Whether a stage read what the stages before it wrote last, and so for all before it.

    An experiment that ran up to one stage leaves the results of later ones as they were.
    """
    if name not in stages:
        return False
    writers = _writers(stages)
    return all(
        stages[writers[path]].outs[path] == read and is_current(stages, writers[path])
        for path, read in stages[name].deps.items()
        if writers.get(path, name) != name
    )


def _writers(stages: Mapping[str, LockedStage]) -> dict[str, str]:
    """Stage by output: the last one in the file, where DVC leaves what stages once were called."""
    return {path: name for name, stage in stages.items() for path in stage.outs}


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys of nested mappings to the values that are no mappings."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from leaves(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _stage(entry: Mapping[str, Any]) -> LockedStage:
    params = {file: dict(leaves(content)) for file, content in entry.get("params", {}).items()}
    return LockedStage(
        command=entry["cmd"],
        deps={item["path"]: _hash(item) for item in entry.get("deps", [])},
        outs={item["path"]: _hash(item) for item in entry.get("outs", [])},
        params={
            key: v for file in params if file != CODE_FILE.name for key, v in params[file].items()
        },
        code=" ".join(map(str, params.get(CODE_FILE.name, {}).values())),
    )


def _hash(item: Mapping[str, Any]) -> str:
    """Hash of a file or folder; inputs from elsewhere have an etag or a checksum instead."""
    kind = next((kind for kind in ("md5", "etag", "checksum") if kind in item), "md5")
    return str(item[kind])


def overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
