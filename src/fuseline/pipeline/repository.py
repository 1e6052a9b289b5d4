"""Why git does not work here, and what to do about it.

Only a folder that lies in no repository at all is told to begin one: over a damaged repository, or
one of another user, that would do harm.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.pipeline.git import NoGitError, ask, git

_HEAD = re.compile(r"ref: refs/\S+\s*|[0-9a-f]{40}\s*|[0-9a-f]{64}\s*")
ANEW = "clone the repository anew beside this one and copy your changes over. Do not git init here."


@dataclass(frozen=True)
class Trouble:
    """What git stumbles over, its own sentence included, and the remedy."""

    found: str
    remedy: str


def trouble(root: Path) -> Trouble | None:
    """What keeps git from working in a folder; None where it works, also before a first commit."""
    try:
        top = ask(root, "rev-parse", "--show-toplevel")
    except NoGitError as error:
        return Trouble(error.found, error.remedy)
    if not top.succeeded:
        return _no_repository(root.resolve(), top.said)
    used = Path(os.fsdecode(top.output.removesuffix(b"\n")))
    own = root.resolve() / ".git"
    if os.path.lexists(own) and used != own.parent and not _redirected():
        return _damaged(own, f"it takes {used} for the repository")
    last = ask(root, "log", "-1", "--format=%H")
    if not last.succeeded and "does not have any commits yet" not in last.said:
        return _broken_head(root, last.said)
    return None


def check(root: Path) -> None:
    """Refuse a folder in which git does not work.

    Raises:
        ConfigError: with git's own sentence and the remedy.
    """
    found = trouble(root)
    if found:
        raise ConfigError(f"git: {found.found}. {found.remedy}")


def _redirected() -> bool:
    """Whether variables say where the repository is, whatever lies in the folder."""
    return bool({"GIT_DIR", "GIT_WORK_TREE"} & set(os.environ))


def _no_repository(root: Path, said: str) -> Trouble:
    if "dubious ownership" in said:
        return _of_another(root, said)
    if "GIT_DIR" in os.environ and "not a git repository" in said:
        return Trouble(f"GIT_DIR is set, but {said}", "unset GIT_DIR")
    if "not a git repository" not in said and "invalid gitfile" not in said:
        return Trouble(f"git says: {said}", _remedy(said))
    for folder in (root, *root.parents):
        if os.path.lexists(folder / ".git"):
            return _damaged(folder / ".git", said)
    remedy = "Clone the repository, or git init and commit: DVC needs one."
    return Trouble(f"no git repository here ({said})", remedy)


def _remedy(said: str) -> str:
    if located := re.search(r"bad config line \d+ in file (.+)", said):
        return f"Mend that line of {located[1]}."
    if "repository extension" in said or "Expected git repo version" in said:
        return "Install a newer git."
    return "Mend what it names."


def _of_another(root: Path, said: str) -> Trouble:
    named = re.search(r"repository at '(.+)'", said)
    place = named[1] if named else str(root)
    remedy = f"If you trust it: git config --global --add safe.directory {shlex.quote(place)}"
    if "HOME" not in os.environ:
        remedy += ". That is written below HOME, so first: export HOME=… to a folder of yours."
    return Trouble(f"the repository is another user's ({said})", remedy)


def _damaged(place: Path, said: str) -> Trouble:
    """Of a `.git` that is there, and no repository."""
    if place.is_dir():
        head = place / "HEAD"
        if head.is_file() and _HEAD.fullmatch(head.read_text(encoding="utf-8", errors="replace")):
            found = f"{place} is no whole repository: parts of it are missing (git: {said})"
            return Trouble(found, f"Put them back, or {ANEW}")
        branch = _branch(place)
        remedy = (
            f'echo "ref: refs/heads/{branch}" > {shlex.quote(str(head))} if you were on {branch}'
        )
        return Trouble(f"{head} is damaged (git: {said})", f"{remedy}. Do not git init here.")
    if place.is_symlink():
        target = f"is a link to {place.readlink()}"
    else:
        target = place.read_text(encoding="utf-8", errors="replace").strip()
        if not target.startswith("gitdir: "):
            return Trouble(
                f"{place} is a file that names no folder (git: {said})", ANEW.capitalize()
            )
        target = f"points to {target.removeprefix('gitdir: ')}"
    found = f"{place} {target}, where no repository is (git: {said})"
    here = shlex.quote(str(place.parent))
    if "/worktrees/" in target:
        return Trouble(
            found,
            f"In the repository that this is a worktree of: git worktree repair {here}."
            " Do not git init here.",
        )
    if "/modules/" in target:
        return Trouble(
            found,
            "In the repository that this is a submodule of: git submodule update --init."
            " Do not git init here.",
        )
    return Trouble(found, f"Put it back, or {ANEW}")


def _branch(place: Path) -> str:
    """The branch that was checked out, as far as a repository without its HEAD tells."""
    log = place / "logs" / "HEAD"
    lines = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    moves = re.findall(r"\tcheckout: moving from \S+ to (\S+)", lines)
    heads = place / "refs" / "heads"
    names = sorted(one.relative_to(heads).as_posix() for one in heads.rglob("*") if one.is_file())
    packed = place / "packed-refs"
    if packed.is_file():
        names += re.findall(r" refs/heads/(\S+)", packed.read_text(encoding="utf-8"))
    return next(iter([name for name in reversed(moves) if name in names] + names), "main")


def _broken_head(root: Path, said: str) -> Trouble:
    """Of a repository whose branch names no commit that is there."""
    found = f"the commit that is checked out cannot be read (git: {said})"
    branch = (git(root, "symbolic-ref", "--quiet", "HEAD", may_fail=True) or "").strip()
    common = root / (git(root, "rev-parse", "--git-common-dir", may_fail=True) or "").strip()
    commit = next(_commits(root), None)
    if commit is None:
        return Trouble(found, f"git fetch may bring it back. Otherwise {ANEW}")
    known = f"{commit[:10]} is the last commit that is whole"
    if not branch:
        return Trouble(found, f"{known}: git update-ref --no-deref HEAD {commit}")
    file = shlex.quote(str(common / branch))
    return Trouble(found, f"{known}: rm -f {file} && git update-ref {branch} {commit}")


def _commits(root: Path) -> Iterator[str]:
    """Commits that were checked out here and are whole, the last first."""
    folder = root / (git(root, "rev-parse", "--git-dir", may_fail=True) or "").strip()
    log = folder / "logs" / "HEAD"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    for line in reversed(lines):
        commit = line.split(" ")[1]
        if ask(root, "log", "-1", commit).succeeded:
            yield commit
