"""Clones of one repository that share through a remote, set up as `docs/sharing.md` says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.repository import REPOSITORY
from tests.support.servers import Server
from tests.support.workspace import Workspace

PAGE = REPOSITORY / "docs" / "sharing.md"
# The section of each kind of remote.
RECIPES = {
    "local": "A local or network folder",
    "s3": "S3 and what speaks like it",
    "ssh": "SSH",
    "webdav": "WebDAV",
}
PUSH, PULL, REPRO = range(3)


def blocks(title: str, language: str = "bash") -> list[str]:
    """What stands under a heading of the page to be copied, block by block."""
    parts = re.split(r"^##+ (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return re.findall(rf"^```{language}\n(.*?)^```$", sections[title], re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Member:
    """One of the team: a clone, and what the person's own block of the recipe says."""

    workspace: Workspace
    own: str = ""

    @property
    def root(self) -> Path:
        return self.workspace.root

    @property
    def home(self) -> Path:
        return self.root.parent / f"{self.root.name}-home"

    def run(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run commands in a shell that has what the person exports, until one fails."""
        exports = "\n".join(line for line in self.own.splitlines() if line.startswith("export "))
        self.home.mkdir(exist_ok=True)
        # Neither keys nor settings of whoever runs the tests.
        leave = "unset SSH_AUTH_SOCK ${!AWS_*}"
        return self.workspace.run(
            "bash", "-euc", f"{leave}\n{exports}\n{commands}", HOME=str(self.home)
        )

    def do(self, commands: str) -> str:
        """Run commands that must succeed; return what they print."""
        result = self.run(commands)
        assert result.returncode == 0, result.stdout
        return result.stdout


@dataclass(frozen=True)
class Team:
    """A first member who has pushed everything, and the way for others to join."""

    kind: str
    server: Server
    origin: Path
    first: Member

    @classmethod
    def found(cls, kind: str, server: Server, finished: Workspace, root: Path) -> Team:
        """Set up the remote from a copy of a finished workspace, and push."""
        origin = root / "origin.git"
        workspace = finished.copy(root / "first")
        setup, *own = blocks(RECIPES[kind])
        first = Member(workspace, _filled(own, server.values))
        first.do("git add --all && git commit --quiet --message 'The pipeline'")
        first.do(f"git clone --quiet --bare . {origin} && git remote add origin {origin}")
        first.do("git fetch --quiet && git branch --set-upstream-to origin/$(git branch --show)")
        first.do(f"{_filled([setup], server.values)}\n{first.own}")
        first.do(blocks("The team's loop")[PUSH])
        return cls(kind, server, origin, first)

    def join(self, root: Path, values: Mapping[str, str] | None = None) -> Member:
        """Clone from the origin as another person, who may have other keys."""
        git = ["git", "clone", "--quiet", str(self.origin), str(root)]
        subprocess.run(git, check=True)
        own = _filled(blocks(RECIPES[self.kind])[1:], values or self.server.values)
        member = Member(Workspace(root), own)
        member.do(own)
        return member

    def stored(self, oid: str) -> Path:
        """Where an object lies on the server's side."""
        return self.server.folder / "files" / "md5" / oid[:2] / oid[2:]

    @contextmanager
    def tampered(self, contents: Mapping[str, bytes]) -> Iterator[None]:
        """Give objects other contents on the server's side, for a while."""
        before = {oid: self.stored(oid).read_bytes() for oid in contents}
        _overwrite({self.stored(oid): content for oid, content in contents.items()})
        try:
            yield
        finally:
            _overwrite({self.stored(oid): content for oid, content in before.items()})


def _filled(templates: list[str], values: Mapping[str, str]) -> str:
    """Blocks of a recipe with real values in place of its examples."""
    text = "\n".join(templates)
    for example, value in values.items():
        text = text.replace(example, value)
    assert "example.org" not in text and "your-" not in text, text
    return text


def _overwrite(contents: Mapping[Path, bytes]) -> None:
    for path, content in contents.items():
        # With the mode that DVC gave it: objects of another are refused for that alone.
        mode = path.stat().st_mode
        path.unlink()
        path.write_bytes(content)
        path.chmod(mode)
