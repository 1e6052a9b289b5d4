"""Lists of folders' files come into the cache whole and right, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.errors import ConfigError, ContractError
from fuseline.pipeline.remote import FetchedLists, fetch_lists


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one folder, pushed to a verified remote; its cache is empty."""
    for name in ("SITE_CACHE_DIR", "GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(f"DVC_{name}", str(tmp_path / name))
    root = tmp_path / "repository"
    (root / "rows").mkdir(parents=True)
    for name in ("one", "two"):
        (root / "rows" / name).write_text(name)
    monkeypatch.chdir(root)
    with Repo.init(str(root), no_scm=True) as repo:
        repo.add("rows")
        with repo.config.edit("repo") as config:
            config["remote"]["team"] = {"url": str(tmp_path / "remote"), "verify": True}
            config["core"]["remote"] = "team"
    with Repo(str(root)) as repo:
        repo.push()
    shutil.rmtree(root / ".dvc" / "cache")
    return root


def lists(folder: Path) -> list[Path]:
    return list(folder.glob("files/md5/*/*.dir"))


def stored(root: Path) -> Path:
    return lists(root.parent / "remote")[0]


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_lists_are_fetched_and_kept_from_change(root: Path) -> None:
    assert fetch_lists(root, None, []) == FetchedLists(checked=1, skipped=0)
    (cached,) = lists(root / ".dvc" / "cache")
    assert cached.read_bytes() == stored(root).read_bytes()
    assert cached.stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("change", [b"", b"[]", b"not a list", None])
def test_a_changed_list_is_refused(root: Path, change: bytes | None) -> None:
    content = stored(root).read_bytes().replace(b"one", b"../../out") if change is None else change
    overwrite(stored(root), content)
    with pytest.raises(
        ContractError, match=r"rows: the remote's list of its files, .* was changed"
    ):
        fetch_lists(root, None, [])
    assert not lists(root / ".dvc" / "cache")


def test_a_wrong_list_in_the_cache_is_replaced(root: Path) -> None:
    fetch_lists(root, None, [])
    (cached,) = lists(root / ".dvc" / "cache")
    overwrite(cached, b"[]")
    fetch_lists(root, None, [])
    assert cached.read_bytes() == stored(root).read_bytes()


def test_a_list_that_was_never_pushed_is_refused(root: Path) -> None:
    stored(root).unlink()
    with pytest.raises(ContractError, match=r"rows: its list of files, .* is not in the remote"):
        fetch_lists(root, None, [])


@pytest.mark.parametrize(
    ("remote", "verify", "message"),
    [
        ("team", False, "remote 'team': `verify` is not set"),
        ("other", True, "'other' doesn't exist"),
    ],
)
def test_a_remote_must_be_there_and_verified(
    root: Path, remote: str, verify: bool, message: str
) -> None:
    with Repo(str(root)) as repo, repo.config.edit("repo") as config:
        config["remote"]["team"]["verify"] = verify
    with pytest.raises(ConfigError, match=message):
        fetch_lists(root, remote, [])


def other_remote(root: Path, *, verify: bool) -> None:
    with Repo(str(root)) as repo, repo.config.edit("repo") as config:
        config["remote"]["other"] = {"url": str(root.parent / "other"), "verify": verify}


@pytest.mark.parametrize("kind", ["file", "cached folder"])
def test_every_remote_that_an_output_asks_for_must_be_verified(root: Path, kind: str) -> None:
    other_remote(root, verify=False)
    if kind == "file":
        (root / "single").write_text("single")
        with Repo(str(root)) as repo:
            repo.add("single")
    else:
        fetch_lists(root, None, [])
    pointer = root / ("single.dvc" if kind == "file" else "rows.dvc")
    pointer.write_text(pointer.read_text() + "  remote: other\n")
    with pytest.raises(ConfigError, match="remote 'other': `verify` is not set"):
        fetch_lists(root, None, [])
    other_remote(root, verify=True)
    assert fetch_lists(root, None, []).checked == 1


def test_a_folder_that_nobody_pushes_may_be_absent_but_not_changed(root: Path) -> None:
    pointer = root / "rows.dvc"
    pointer.write_text(pointer.read_text() + "  push: false\n")
    place, content = stored(root), stored(root).read_bytes()
    overwrite(place, content.replace(b"one", b"../../out"))
    with pytest.raises(ContractError, match="was changed"):
        fetch_lists(root, None, [])
    place.unlink()
    assert fetch_lists(root, None, []) == FetchedLists(checked=0, skipped=1)
    told = CliRunner().invoke(app, ["check-remote"])
    assert told.exit_code == 0
    assert "1 skipped: of `dvc import`, or of `push: false`" in told.stdout


def test_an_imported_folder_is_skipped(root: Path) -> None:
    pointer = root / "rows.dvc"
    imported = "deps:\n- path: rows\n  repo:\n    url: https://host/repo\n    rev_lock: abc\n"
    pointer.write_text(imported + pointer.read_text())
    stored(root).unlink()
    assert fetch_lists(root, None, []) == FetchedLists(checked=0, skipped=1)


def test_the_command_answers_in_one_line(root: Path) -> None:
    good = CliRunner().invoke(app, ["check-remote"])
    assert good.exit_code == 0
    assert good.stdout == "1 list(s) of files are in the cache, each as its hash says.\n"
    shutil.rmtree(root / ".dvc")
    bad = CliRunner().invoke(app, ["check-remote"])
    assert bad.exit_code == 2
    assert bad.stderr.startswith("check-remote: ")
    assert "Traceback" not in bad.stderr
