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
from pathlib import Path
from typing import TYPE_CHECKING

from fuseline.errors import ConfigError, ContractError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB

# A folder's list: the hash that is its name, the folder, the remote that the folder asks for.
FolderList = tuple[str, str, str | None]


def fetch_lists(root: Path, remote: str | None, revisions: list[str]) -> int:
    """Bring every folder's list into the cache that the workspace and the revisions name.

    Args:
        root: the repository's root.
        remote: a remote's name; None for the default one.
        revisions: commits, branches, tags or experiments to look at besides the workspace.

    Returns:
        the number of lists that are in the cache now, their hashes right.

    Raises:
        ConfigError: there is no such remote or revision, or the remote cannot be read or is not
            verified.
        ContractError: a list is not in the remote, or not what its hash says.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo, repo.lock:
            # What DVC remembers of folders may come from a list that was never checked.
            repo.drop_data_index()
            lists = set(_lists(repo, revisions))
            for oid, folder, own_remote in sorted(lists, key=str):
                if not _is_cached(repo.cache.local, oid):
                    _fetch(_verified(repo, own_remote or remote), repo.cache.local, oid, folder)
            # Files are fetched later, from the same place.
            _verified(repo, remote)
    except DvcException as error:
        raise ConfigError(f"{error}.") from error
    return len(lists)


def _lists(repo: Repo, revisions: list[str]) -> Iterator[FolderList]:
    for _ in repo.brancher(revs=revisions or None, workspace=True):
        for out in repo.index.outs:
            if not (out.use_cache and out.hash_info and out.hash_info.isdir):
                continue
            if out.hash_info.name != "md5":
                raise ContractError(
                    f"{out}: its hash is of a kind that DVC 2 made and cannot be checked here."
                    " Run `dvc cache migrate --dvc-files`, then `dvc push`."
                )
            yield out.hash_info.value, str(out), out.remote


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


def _is_cached(cache: HashFileDB, oid: str) -> bool:
    """Whether a list is there; one with a wrong hash is removed."""
    path = Path(cache.oid_to_path(oid))
    if not path.is_file():
        return False
    if _is_named(path.read_bytes(), oid):
        return True
    path.unlink()
    return False


def _fetch(remote: HashFileDB, cache: HashFileDB, oid: str, folder: str) -> None:
    path = remote.oid_to_path(oid)
    try:
        with remote.fs.open(path, "rb") as stream:
            content = stream.read()
    except FileNotFoundError:
        raise ContractError(
            f"{folder}: its list of files, {oid}, is not in the remote."
            " Run `dvc push` where it was made."
        ) from None
    # The drivers of the kinds of remotes have no error in common.
    except Exception as error:
        raise ConfigError(
            f"{path}: cannot be read from the remote: {error or type(error).__name__}."
            " Look at its address in .dvc/config and at your keys."
        ) from error
    if not _is_named(content, oid):
        raise ContractError(
            f"{folder}: the remote's list of its files, {path}, is not what its hash says:"
            " it was changed or cut short. Nothing was checked out."
            " Remove it there, and run `dvc push` where it was made."
        )
    cache.add_bytes(oid, content)
    cache.protect(cache.oid_to_path(oid))


def _is_named(content: bytes, oid: str) -> bool:
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == oid.removesuffix(".dir")
