"""What the account, the file system and the raw data lack is found before a run falls over it."""

from __future__ import annotations

import errno
import getpass
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fuseline.errors import ContractError
from fuseline.workbench.doctor import Finding, Level, account, examine, installation, raw, storage
from tests.support.no_locks import without_locks
from tests.unit.workbench.doctor.test_doctor import commit, git, root

__all__ = ["root"]


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def without_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container runs a user id that its /etc/passwd does not have."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_user_without_a_name_is_told_how_to_have_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_name(monkeypatch)
    finding = only(list(account.names(root)))
    assert finding.level is Level.FATAL
    assert f"user {os.getuid()} has no name" in finding.found
    name, value = finding.remedy.removeprefix("export ").split("=")
    monkeypatch.setenv(name, value)
    assert only(list(account.names(root))).level is Level.OK
    assert getpass.getuser() == value


def test_a_user_without_a_home_is_told_how_to_have_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_name(monkeypatch)
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("DVC_GLOBAL_CONFIG_DIR")
    finding = only(list(account.names(root)))
    assert finding.level is Level.FATAL
    assert "has no home, and DVC asks for one" in finding.found
    # None of the others falls over it.
    (root / ".dvc" / "config").write_text("['remote \"team\"']\n    url = s3://bucket\n")
    every = list(examine(root))
    assert "settings have no place" in only([one for one in every if one.subject == "dvc"]).found
    monkeypatch.setenv("HOME", str(root.parent))
    assert only(list(account.names(root))).level is Level.OK


def test_a_folder_of_dvc_s_own_that_is_not_writable_is_found(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site" / "dvc"))
    assert only(list(account.folders(root))).level is Level.OK
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != tmp_path / "site" and real(path, mode)
    )
    finding = only(list(account.folders(root)))
    assert finding.level is Level.FATAL
    assert f"{tmp_path}/site, where DVC keeps" in finding.found
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(root / ".dvc/tmp/site"))
    assert only(list(account.folders(root))).level is Level.OK


def test_no_folder_for_temporary_files_is_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(account.tempfile, "gettempdir", none)
    finding = only(list(account.folders(root)))
    assert (finding.level, "TMPDIR" in finding.remedy) == (Level.FATAL, True)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_first(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    assert only(list(storage.locking(root))).level is Level.OK
    without_locks(monkeypatch, number)
    finding = only(list(storage.locking(root)))
    assert finding.level is Level.FATAL
    assert os.strerror(number) in finding.found
    subprocess.run(f"{sys.executable} -m {finding.remedy}", shell=True, cwd=root, check=True)
    assert only(list(storage.locking(root))).level is Level.WARNING
    assert [one.subject for one in examine(root) if one.level is Level.FATAL] == []


def files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


LOST = ["../nowhere.csv", "/nowhere/rows.csv", "loop.csv", "../../../.dvc/cache/files/md5/ab/cd"]


@pytest.mark.parametrize("target", LOST)
def test_a_link_that_leads_nowhere_is_found_wherever_it_lies(root: Path, target: str) -> None:
    assert only(list(raw.links(root))).level is Level.OK
    files(root, "data/raw/mine/deep/rows.csv")
    (root / "data/raw/mine/good.csv").symlink_to("deep/rows.csv")
    assert only(list(raw.links(root))).level is Level.OK
    (root / "data/raw/mine/deep/loop.csv").symlink_to(target)
    finding = only(list(raw.links(root)))
    assert finding.level is Level.FATAL
    assert f"data/raw/mine/deep/loop.csv leads to {target}" in finding.found
    command = re.search(r"rm \S+", finding.remedy)
    assert command is not None
    subprocess.run(command[0], shell=True, cwd=root, check=True)
    assert only(list(raw.links(root))).level is Level.OK


def test_many_lost_links_are_removed_by_one_command(root: Path) -> None:
    files(root, "data/raw/mine/rows.csv")
    (root / "data/raw/mine/good.csv").symlink_to("rows.csv")
    for name in ("a", "b c"):
        (root / f"data/raw/mine/{name}.csv").symlink_to("/nowhere")
    with pytest.raises(ContractError, match="and 1 more; every dvc repro stops at it") as refused:
        raw.refuse_lost_links(root)
    command = str(refused.value).rpartition(": ")[2]
    subprocess.run(command, shell=True, cwd=root, check=True)
    raw.refuse_lost_links(root)
    assert (root / "data/raw/mine/good.csv").is_symlink()


def test_a_lost_file_of_dvc_s_is_pulled(root: Path) -> None:
    files(root, "data/raw/mine.dvc")
    (root / "data/raw/mine").mkdir()
    (root / "data/raw/mine/a.csv").symlink_to("/nowhere")
    (root / "data/raw/b.csv").symlink_to("/nowhere")
    finding = only(list(raw.links(root)))
    assert "data/raw/b.csv leads to /nowhere, which is not there, and 1 more" in finding.found
    (root / "data/raw/b.csv").unlink()
    assert only(list(raw.links(root))).remedy == "dvc pull data/raw/mine.dvc"


@pytest.mark.parametrize("ignored", [False, True])
def test_rows_that_nothing_tracks_are_found(root: Path, ignored: bool) -> None:
    files(root, "data/raw/.gitkeep", "data/raw/theirs/rows.csv")
    commit(root)
    assert only(list(raw.tracking(root))).level is Level.OK
    files(root, "data/raw/über uns/rows.csv", "data/raw/über uns/a.png", "data/raw/theirs/new.csv")
    if ignored:
        (root / ".gitignore").write_text("*.png\n*.csv\n")
    finding = only(list(raw.tracking(root)))
    assert finding.level is Level.WARNING
    assert "neither git nor DVC tracks data/raw/theirs/new.csv" in finding.found
    assert "experiments lack them" in finding.found
    assert finding.remedy == "git add data/raw/theirs && dvc add 'data/raw/über uns'"


def test_rows_that_dvc_tracks_are_no_finding(root: Path) -> None:
    files(root, "data/raw/mine/deep/rows.csv", "data/raw/mine.dvc", "data/raw/.gitignore")
    (root / "data/raw/.gitignore").write_text("/mine\n")
    git(root, "add", "--all")
    assert only(list(raw.tracking(root))).level is Level.OK


def test_a_project_in_a_larger_repository_looks_at_its_own_rows(root: Path) -> None:
    inner = root / "projects" / "one"
    files(inner, "data/raw/rows.csv")
    files(root, "data/raw/rows.csv")
    assert "tracks data/raw/rows.csv:" in only(list(raw.tracking(inner))).found
    git(root, "add", "projects")
    assert only(list(raw.tracking(inner))).level is Level.OK


def test_little_memory_is_told_with_the_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "available_memory", lambda: 2 * 10**9)
    finding = only(list(installation.memory(root)))
    assert (finding.level, finding.found) == (Level.WARNING, "2.0 GB for a run")
    assert "killed without a word" in finding.remedy
    monkeypatch.setattr(installation, "available_memory", lambda: 8 * 10**9)
    assert only(list(installation.memory(root))).level is Level.OK
