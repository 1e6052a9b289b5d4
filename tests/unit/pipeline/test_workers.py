"""Work spread over processes is the work of one, and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fuseline.errors import ConfigError, ContractError
from fuseline.pipeline.workers import Workers

ITEMS = list(range(7))


def squares(folder: Path) -> Callable[[int], tuple[int, int]]:
    """Squares of numbers and the process that found them, which leaves its number in a folder."""
    (folder / str(os.getpid())).touch()
    return lambda item: (item**2, os.getpid())


def refuses() -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == 3:
            raise ConfigError("key: expected less than 3.")
        return item

    return work


def dies() -> Callable[[int], None]:
    return lambda _: os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("processes", "others"), [(1, 0), (2, 2)])
def test_results_come_in_order_and_each_process_prepares_once(tmp_path, processes, others):
    workers = Workers(squares, (tmp_path,), processes)
    for _ in range(2):
        found = list(workers.each(ITEMS))
        assert [value for value, _ in found] == [item**2 for item in ITEMS]
    assert len({process for _, process in found} - {os.getpid()}) <= others
    assert 1 <= len(list(tmp_path.iterdir())) <= processes


def test_a_single_item_is_worth_no_process(tmp_path):
    ((_, process),) = Workers(squares, (tmp_path,), 2).each([5])
    assert process == os.getpid()


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_comes_out_as_it_is(processes):
    with pytest.raises(ConfigError, match=r"^key: expected less than 3\.$"):
        list(Workers(refuses, (), processes).each(ITEMS))


def test_a_worker_that_is_ended_from_outside_is_told():
    with pytest.raises(ContractError, match=r"one of 2 processes was ended from outside"):
        list(Workers(dies, (), 2).each(ITEMS))


def test_workers_end_with_the_process_that_started_them(tmp_path):
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from fuseline.pipeline.workers import Workers\n"
        "from tests.unit.pipeline.test_workers import sleeps\n"
        "list(Workers(sleeps, (Path(sys.argv[1]),), 2).each([0, 1]))\n"
    )
    stage = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [psutil.Process(int(path.name)) for path in tmp_path.iterdir()]
    assert stage.pid not in [worker.pid for worker in workers]
    stage.kill()
    stage.wait()
    wait_for(lambda: not any(map(alive, workers)))


def sleeps(folder: Path) -> Callable[[int], None]:
    (folder / str(os.getpid())).touch()
    return lambda _: time.sleep(600)


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
