"""A push in one clone, a pull in another: real servers, right and wrong keys, changed objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.declared_stages import DeclaredStage
from tests.support.servers import SERVERS, SSHD
from tests.support.team import PULL, REPRO, Member, Team, blocks
from tests.support.workspace import Workspace

LOOP = blocks("The team's loop")


@pytest.fixture(scope="module", params=SERVERS)
def team(
    request: pytest.FixtureRequest, finished: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """A server of each kind, to which everything was pushed."""
    if request.param == "ssh" and not SSHD:
        pytest.skip("no sshd here: install openssh-server to test sharing by SSH")
    root = tmp_path_factory.mktemp(request.param)
    with SERVERS[request.param](tmp_path_factory.mktemp("server")) as server:
        yield Team.found(request.param, server, finished, root)


@pytest.fixture(scope="module")
def outs(stages: dict[str, DeclaredStage]) -> list[str]:
    return [path for stage in stages.values() for path in stage.outs]


def test_another_clone_has_the_same_bytes_and_nothing_to_do(
    team: Team, tmp_path: Path, outs: list[str]
) -> None:
    other = team.join(tmp_path / "other")
    other.do(LOOP[PULL])
    assert other.workspace.hashes(outs) == team.first.workspace.hashes(outs)
    assert "Data and pipelines are up to date." in other.do("dvc repro")


def test_what_is_committed_has_no_secret(team: Team) -> None:
    committed = team.first.do("git log --patch --all -- .dvc && git show HEAD:.dvc/config")
    assert team.server.secrets or team.kind == "local"
    assert "verify = true" in committed
    assert not [secret for secret in team.server.secrets if secret in committed]
    assert "config.local" not in team.first.do("git status --porcelain --untracked-files=all")


@pytest.mark.parametrize("team", ["s3", "ssh", "webdav"], indirect=True)
def test_a_wrong_key_is_refused(team: Team, tmp_path: Path) -> None:
    other = team.join(tmp_path / "other", team.server.wrong)
    assert other.run("dvc pull").returncode != 0
    checked = other.run("fuseline check-remote")
    assert checked.returncode == 2
    assert "Traceback" not in checked.stdout
    assert not list(other.root.glob(".dvc/cache/files/md5/*/*"))


def test_a_changed_file_is_refused(team: Team, tmp_path: Path) -> None:
    files = [*_list(team, "models/finetuned"), *_list(team, "data/tokens")]
    big, small, other_file = sorted(files, key=lambda oid: -team.stored(oid).stat().st_size)[:3]
    content = team.stored(big).read_bytes()
    tampered = {
        big: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        small: team.stored(small).read_bytes()[:-1],
        other_file: content,
    }
    other = team.join(tmp_path / "other")
    with team.tampered(tampered):
        result = other.run(LOOP[PULL])
    assert result.returncode != 0, result.stdout
    assert not _contents(other) & _hashes(tampered)


def test_a_changed_list_is_refused(team: Team, tmp_path: Path) -> None:
    """DVC itself takes it, and so writes files outside of the repository."""
    files = team.stored(_oid(team, "models/finetuned")).read_bytes()
    climbing = files.replace(b"README.md", b"../../../escaped")
    other = team.join(tmp_path / "other")
    with team.tampered({_oid(team, "models/finetuned"): climbing}):
        result = other.run(LOOP[PULL])
    assert result.returncode == 2
    assert "models/finetuned: the remote's list of its files" in result.stdout
    assert not (other.root / "models").exists()
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("team", ["ssh"], indirect=True)
def test_a_false_ssh_host_is_refused(team: Team, tmp_path: Path) -> None:
    """By OpenSSH, which DVC connects through: DVC itself takes any host."""
    keys, known = team.server.folder.parent, tmp_path / "known_hosts"
    other = team.join(tmp_path / "other")
    settings = blocks("SSH host keys are not checked", "ssh-config")[0]
    settings = settings.replace("data.example.org", "127.0.0.1").replace(
        "ssh -o", f"ssh -F none -i {keys / 'right'} -o UserKnownHostsFile={known} -o"
    )
    (other.home / ".ssh").mkdir()
    (other.home / ".ssh" / "config").write_text(settings)
    port = team.server.values["ssh://data.example.org/srv/fuseline"].split(":")[2].split("/")[0]
    for host, succeeds in (("wrong", False), ("host", True)):
        known.write_text(f"[127.0.0.1]:{port} {(keys / f'{host}.pub').read_text()}")
        result = other.run("dvc fetch data/tokenizer")
        assert (result.returncode == 0) is succeeds, result.stdout


# Once is enough: what is fetched does not depend on the kind of remote.
@pytest.mark.parametrize("team", ["local"], indirect=True)
def test_a_change_fetches_only_what_it_needs(
    team: Team, tmp_path: Path, stages: dict[str, DeclaredStage]
) -> None:
    other = team.join(tmp_path / "other")
    other.workspace.set_params({"report.num_examples": 3})
    ran = other.do(LOOP[REPRO])
    assert [line for line in ran.splitlines() if line.startswith("Running")] == [
        "Running stage 'report':"
    ]
    folders = [path for path in stages["report"].deps if _is_cached_folder(stages, path)]
    needed = {oid for folder in folders for oid in _list(team, folder)}
    made = _md5(other.root / "reports/index.html")
    fetched = {
        path.parent.name + path.name
        for path in other.root.glob(".dvc/cache/files/md5/*/*")
        if path.suffix != ".dir"
    }
    assert fetched == needed | {made}


def _is_cached_folder(stages: dict[str, DeclaredStage], path: str) -> bool:
    return any(stage.outs.get(path) for stage in stages.values())


def _oid(team: Team, folder: str) -> str:
    """The hash that `dvc.lock` gives a folder."""
    after = team.first.workspace.lock.split(f"- path: {folder}\n")[1]
    return after.split("md5: ")[1].split()[0]


def _list(team: Team, folder: str) -> list[str]:
    """Hashes of a folder's files."""
    return [entry["md5"] for entry in json.loads(team.stored(_oid(team, folder)).read_bytes())]


def _contents(member: Member) -> set[str]:
    """Hashes of all files that a clone has, its cache included, but for git's own."""
    files = [path for path in member.root.rglob("*") if path.is_file()]
    return {_md5(path) for path in files if ".git" not in path.parts}


def _hashes(contents: dict[str, bytes]) -> set[str]:
    """Of contents that are not an object of their own."""
    return {hashlib.md5(content).hexdigest() for content in contents.values()} - set(contents)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()
