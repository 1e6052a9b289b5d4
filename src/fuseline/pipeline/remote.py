"""Lists of folders' files, taken from a remote only where their hash is right.

With `verify = true` DVC compares every file that it fetches with its hash, but it acts on a
folder's list of files (an object whose name ends in `.dir`) before that: a changed list reaches
the workspace with exit status 0, and may name files outside of it. A list that is in the cache is
read from there, so the lists are brought into the cache here, each checked, before `dvc pull` or
`dvc repro --pull`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fuseline.errors import ConfigError, ContractError

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB


@dataclass(frozen=True)
class FetchedLists:
    """What was done about folders' lists.

    Attributes:
        checked: lists that are in the cache now, their hashes right.
        skipped: lists of folders that are not shared through a remote, and are in none: of
            `push: false` and of `dvc import`.
    """

    checked: int
    skipped: int


@dataclass(frozen=True)
class _Fetched:
    """An output that DVC would fetch: its hash, its path, where it is fetched from."""

    oid: str
    path: str
    remote: str | None
    is_pushed: bool
    is_import: bool

    @classmethod
    def of(cls, out: Output) -> _Fetched:
        return cls(
            out.hash_info.value, str(out), out.remote, out.can_push, out.stage.is_repo_import
        )

    @property
    def is_folder(self) -> bool:
        return self.oid.endswith(".dir")


def fetch_lists(root: Path, remote: str | None, revisions: list[str]) -> FetchedLists:
    """Bring every folder's list into the cache that the workspace and the revisions name.

    Args:
        root: the repository's root.
        remote: a remote's name; None for the default one.
        revisions: commits, branches, tags or experiments to look at besides the workspace.

    Raises:
        ConfigError: there is no such remote or revision, or a remote that anything is fetched from
            cannot be read or is not verified.
        ContractError: a list is not in the remote, or not what its hash says.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo, repo.lock:
            # What DVC remembers of folders may come from a list that was never checked.
            repo.drop_data_index()
            outs = set(_outs(repo, revisions))
            # `dvc import` fetches from another repository, all else from these.
            names = {remote} | {out.remote or remote for out in outs if not out.is_import}
            remotes = {name: _verified(repo, name) for name in sorted(names, key=str)}
            folders = sorted((out for out in outs if out.is_folder), key=str)
            present = [
                not out.is_import and _bring(remotes[out.remote or remote], repo.cache.local, out)
                for out in folders
            ]
    except DvcException as error:
        raise ConfigError(f"{error}.") from error
    return FetchedLists(sum(present), len(folders) - sum(present))


def _outs(repo: Repo, revisions: list[str]) -> Iterator[_Fetched]:
    for _ in repo.brancher(revs=revisions or None, workspace=True):
        for out in repo.index.outs:
            if not (out.use_cache and out.hash_info):
                continue
            if out.hash_info.isdir and out.hash_info.name != "md5":
                raise ContractError(
                    f"{out}: its hash is of a kind that DVC 2 made and cannot be checked here."
                    " Run `dvc cache migrate --dvc-files`, then `dvc push`."
                )
            yield _Fetched.of(out)


def _verified(repo: Repo, name: str | None) -> HashFileDB:
    """The objects of a remote, whose files DVC compares with their hashes."""
    odb = repo.cloud.get_remote_odb(name, "pull")
    if not odb.verify:
        name = name or repo.config["core"]["remote"]
        raise ConfigError(
            f"remote '{name}': `verify` is not set, so DVC would take changed files for good ones."
            f" Run `dvc remote modify {name} verify true`, and commit .dvc/config."
        )
    return odb


def _bring(remote: HashFileDB, cache: HashFileDB, folder: _Fetched) -> bool:
    """Bring a list into the cache; False where nobody pushes the folder and nobody did."""
    if _is_cached(cache, folder.oid):
        return True
    content = _content(remote, folder.oid)
    path = remote.oid_to_path(folder.oid)
    if content is None and not folder.is_pushed:
        return False
    if content is None:
        raise ContractError(
            f"{folder.path}: its list of files, {folder.oid}, is not in the remote."
            " Run `dvc push` where it was made."
        )
    # Of a folder that nobody pushes too: DVC would take what somebody else put there.
    if not _is_named(content, folder.oid):
        raise ContractError(
            f"{folder.path}: the remote's list of its files, {path}, is not what its hash says:"
            " it was changed or cut short. Nothing was checked out."
            " Remove it there, and run `dvc push` where it was made."
        )
    cache.add_bytes(folder.oid, content)
    cache.protect(cache.oid_to_path(folder.oid))
    return True


def _is_cached(cache: HashFileDB, oid: str) -> bool:
    """Whether a list is there; one with a wrong hash is removed."""
    path = Path(cache.oid_to_path(oid))
    if not path.is_file():
        return False
    if _is_named(path.read_bytes(), oid):
        return True
    path.unlink()
    return False


def _content(remote: HashFileDB, oid: str) -> bytes | None:
    """An object of a remote, unchecked; None where it has none."""
    path = remote.oid_to_path(oid)
    try:
        with remote.fs.open(path, "rb") as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None
    # The drivers of the kinds of remotes have no error in common.
    except Exception as error:
        raise ConfigError(
            f"{path}: cannot be read from the remote: {error or type(error).__name__}."
            " Look at its address in .dvc/config and at your keys."
        ) from error


def _is_named(content: bytes, oid: str) -> bool:
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == oid.removesuffix(".dir")
