"""Limits of containers, read from files as the two versions of control groups have them."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from fuseline.pipeline import machine
from fuseline.pipeline.environment import lack_of_cores
from fuseline.pipeline.machine import available_cores, available_memory

CORES, BYTES = 64, 2**36
UNLIMITED = str(2**63 - 4096)
V1 = "5:cpuacct,cpu:/{0}\n4:memory:/{0}\n1:name=systemd:/{0}\n"


@pytest.fixture(autouse=True)
def _large_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "PLACES", tmp_path / "self")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CORES)))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("", (), {"total": BYTES}))


def made(tmp_path: Path, places: str, files: dict[str, str]) -> None:
    (tmp_path / "self").write_text(places)
    for name, content in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")


CASES = {
    "no files at all": ("", {}, CORES, BYTES),
    "version 2 without limits": (
        *("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}),
        *(CORES, BYTES),
    ),
    "version 2, limits at the root of the container": (
        *("0::/\n", {"cpu.max": "200000 100000", "memory.max": "4294967296"}),
        *(2, 4294967296),
    ),
    "half a core": ("0::/\n", {"cpu.max": "50000 100000"}, 0.5, BYTES),
    "another period": ("0::/\n", {"cpu.max": "75000 50000"}, 1.5, BYTES),
    "more quota than cores": ("0::/\n", {"cpu.max": "99900000 100000"}, CORES, BYTES),
    "version 2, a group below": (
        "0::/system/run.scope\n",
        {
            "system/run.scope/cpu.max": "300000 100000",
            "system/run.scope/memory.max": "max",
            "system/memory.max": "1000000",
        },
        *(3, 1000000),
    ),
    "the group above is tighter": (
        "0::/pod/one\n",
        {"pod/one/cpu.max": "400000 100000", "pod/cpu.max": "100000 100000"},
        *(1, BYTES),
    ),
    "a group that this container does not show": (
        "0::/kubepods/burstable/pod1\n",
        {"cpu.max": "200000 100000", "memory.max": "5"},
        *(2, 5),
    ),
    "version 1 without limits": (
        V1.format(""),
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": UNLIMITED,
        },
        *(CORES, BYTES),
    ),
    "version 1 with limits": (
        V1.format("docker/abc"),
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "150000",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "2000000000",
        },
        *(1.5, 2000000000),
    ),
    "version 1, each resource by itself, a group below": (
        "3:cpu:/batch\n2:memory:/batch\n",
        {
            "cpu/batch/cpu.cfs_quota_us": "100000",
            "cpu/batch/cpu.cfs_period_us": "100000",
            "memory/batch/memory.limit_in_bytes": "7",
            "memory/memory.limit_in_bytes": UNLIMITED,
        },
        *(1, 7),
    ),
    "both versions": (
        "1:cpu:/\n0::/\n",
        {
            "cpu.max": "800000 100000",
            "cpu/cpu.cfs_quota_us": "400000",
            "cpu/cpu.cfs_period_us": "100000",
        },
        *(4, BYTES),
    ),
    "files of something else": (
        *("0::/\n", {"cpu.max": "fast", "memory.max": ""}),
        *(CORES, BYTES),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_limits_of_a_container_are_seen(tmp_path: Path, name: str) -> None:
    places, files, cores, memory = CASES[name]
    made(tmp_path, places, files)
    assert (available_cores(), available_memory()) == (cores, memory)


def test_stages_say_when_a_quota_is_less_than_their_threads(tmp_path: Path) -> None:
    made(tmp_path, "0::/\n", {"cpu.max": "150000 100000"})
    assert lack_of_cores(1) == ""
    assert lack_of_cores(2).startswith("1.5 cores for base.num_threads = 2: slower")
    made(tmp_path, "0::/\n", {"cpu.max": "100000 100000"})
    assert lack_of_cores(2).startswith("1 core for base.num_threads = 2")


def test_as_it_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 0 < available_cores() <= len(os.sched_getaffinity(0))
    assert 0 < available_memory() <= psutil.virtual_memory().total
