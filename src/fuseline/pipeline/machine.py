"""How much of a machine this process may use: a container's limits count, not what is built in.

Linux keeps the limits of a group of processes in files: version 2 of control groups in one tree,
version 1 in one for each resource. A limit of any group above counts too. Within a container the
tree mostly begins at the container's own group, whatever the process is told of its place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path("/sys/fs/cgroup")
PLACES = Path("/proc/self/cgroup")


def available_cores() -> float:
    """Cores that this process may run on; a fraction where a quota of time is one."""
    cores = float(len(os.sched_getaffinity(0)))
    return min([cores, *_quotas()])


def available_memory() -> int:
    """Bytes of memory that this process may fill, others of its group included."""
    return min([psutil.virtual_memory().total, *_memory_limits()])


def _quotas() -> Iterator[float]:
    """Cores' worth of time that groups may take."""
    for folder in _folders(""):
        match _numbers(folder / "cpu.max"):
            case [quota, period] if period > 0:
                yield quota / period
    for folder in _folders("cpu"):
        quotas = _numbers(folder / "cpu.cfs_quota_us")
        periods = _numbers(folder / "cpu.cfs_period_us")
        if quotas and periods and quotas[0] > 0 and periods[0] > 0:
            yield quotas[0] / periods[0]


def _memory_limits() -> Iterator[int]:
    for resource, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        for folder in _folders(resource):
            yield from _numbers(folder / name)[:1]


def _folders(resource: str) -> Iterator[Path]:
    """Of the groups that this process is in, from its own up to the root.

    Args:
        resource: of version 1, such as `cpu`; empty for version 2.
    """
    root = _root(resource)
    place = _place(resource)
    if root is None or place is None:
        return
    for part in (place, *place.parents):
        if (root / part).is_dir():
            yield root / part


def _root(resource: str) -> Path | None:
    """Where the tree of a resource is mounted; `cpu` often with another, as `cpu,cpuacct`."""
    if not resource:
        return ROOT
    return next((one for one in sorted(ROOT.glob("*")) if resource in one.name.split(",")), None)


def _place(resource: str) -> Path | None:
    """This process's group, relative to the tree's root."""
    try:
        lines = PLACES.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        _, resources, place = line.split(":", 2)
        if resource in resources.split(","):
            return Path(place.lstrip("/"))
    return None


def _numbers(path: Path) -> list[int]:
    """Numbers in a file; none where it is not there, or says `max`: no limit."""
    try:
        words = path.read_text(encoding="utf-8").split()
        return [int(word) for word in words]
    except (OSError, ValueError):
        return []
