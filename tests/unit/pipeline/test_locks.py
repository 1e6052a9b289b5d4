"""Locks: one holder at a time, and going on where the file system keeps none."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from fuseline.errors import ContractError
from fuseline.pipeline.locks import held, is_held, lack_of_locks, locks_by_links
from tests.support.no_locks import without_locks

NUMBERS = [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL]


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not is_held(lock)
    with held(lock, "at work"):
        assert is_held(lock)
        with pytest.raises(ContractError, match=r"^at work$"), held(lock, "at work"):
            raise AssertionError
        assert is_held(lock)
    assert not is_held(lock)
    with held(lock, "at work"):
        pass


def test_a_folder_can_be_held_and_what_fails_within_lets_it_go(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path):
        raise KeyError
    with held(tmp_path, "at work"):
        pass


@pytest.mark.parametrize("number", NUMBERS)
def test_without_locks_the_work_goes_on_after_one_warning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
) -> None:
    without_locks(monkeypatch, number)
    monkeypatch.chdir(tmp_path)
    done = []
    for _ in range(3):
        with held(tmp_path / "lock", "at work"), held(tmp_path):
            done.append(1)
    assert len(done) == 3
    said = capsys.readouterr().err
    assert said.count("warning: this file system keeps no locks") == 1
    assert os.strerror(number) in said
    assert "dvc config --local core.hardlink_lock true" in said
    assert not is_held(tmp_path / "lock")
    assert lack_of_locks(tmp_path) == os.strerror(number)


def test_where_dvc_locks_by_links_the_warning_names_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not locks_by_links(Path())
    (tmp_path / ".dvc" / "config").write_text("[core]\n    hardlink_lock = true\n")
    assert locks_by_links(Path())
    without_locks(monkeypatch, errno.ENOLCK)
    with held(tmp_path / "lock"):
        pass
    said = capsys.readouterr().err
    assert "keeps no locks" in said
    assert "hardlink_lock" not in said


def test_settings_that_cannot_be_read_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core\n")
    assert not locks_by_links(tmp_path)


def test_any_other_fault_of_the_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"), held(tmp_path / "lock", "at work"):
        raise AssertionError
    with pytest.raises(OSError, match="Input/output error"):
        lack_of_locks(tmp_path)


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    command = ["flock", "--no-fork", str(lock), "sleep", "60"]
    process = subprocess.Popen(command)
    while not is_held(lock):
        assert process.poll() is None
    process.kill()
    process.wait()
    assert not is_held(lock)
