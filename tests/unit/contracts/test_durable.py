"""What bears a finished name is on the disk before it does."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fuseline.contracts import write_json
from fuseline.contracts.durable import put, settle, write_text


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is synced and of what is renamed, in order."""
    told: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        told.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        sync(handle)

    def rename(self: Path, target: Path) -> Path:
        told.append(f"name {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    return told


def test_a_file_is_written_then_named_then_its_folder_written(
    tmp_path: Path, calls: list[str]
) -> None:
    write_text(tmp_path / "one.txt", "words")
    assert (tmp_path / "one.txt").read_text() == "words"
    assert calls == ["sync one.txt.partial", "name one.txt", f"sync {tmp_path.name}"]
    assert [one.name for one in tmp_path.iterdir()] == ["one.txt"]


def test_json_and_so_every_manifest_is_written_the_same_way(
    tmp_path: Path, calls: list[str]
) -> None:
    write_json(tmp_path / "manifest.json", {"rows": 1})
    assert calls[:2] == ["sync manifest.json.partial", "name manifest.json"]


def test_a_folder_is_written_with_all_that_is_in_it(tmp_path: Path, calls: list[str]) -> None:
    partial = tmp_path / "partial"
    (partial / "inner").mkdir(parents=True)
    (partial / "a").write_text("a")
    (partial / "inner" / "b").write_text("b")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    put(partial, tmp_path / "out")
    assert calls.index("name out") == len(calls) - 2
    assert {"sync a", "sync b", "sync inner", "sync partial"} == set(calls[:-2])
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["a", "inner"]


@pytest.mark.parametrize("kind", ["file", "folder", "nothing"])
def test_a_link_in_the_way_is_replaced_and_what_it_points_at_stays(
    tmp_path: Path, kind: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    if kind == "folder":
        elsewhere.mkdir()
    elif kind == "file":
        elsewhere.write_text("of the cache")
    (tmp_path / "out").symlink_to(elsewhere)
    (tmp_path / "partial").mkdir()
    put(tmp_path / "partial", tmp_path / "out")
    assert (tmp_path / "out").is_dir()
    assert not (tmp_path / "out").is_symlink()
    assert elsewhere.exists() == (kind != "nothing")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    write_text(tmp_path / "one.txt", "words")
    assert (tmp_path / "one.txt").read_text() == "words"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_what_the_disk_did_not_take_gets_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "one.txt").write_text("old")

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match=os.strerror(number)):
        write_text(tmp_path / "one.txt", "new")
    with pytest.raises(OSError, match=os.strerror(number)):
        settle(tmp_path)
    assert (tmp_path / "one.txt").read_text() == "old"
