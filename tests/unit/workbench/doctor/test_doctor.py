"""Each examination finds what is amiss, says what to do, and is content where all is well."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.pipeline import environment
from fuseline.pipeline.stage import WORK_FOLDER
from fuseline.workbench.doctor import (
    EXAMINATIONS,
    Finding,
    Level,
    examine,
    installation,
    remotes,
    storage,
)
from tests.support.examples_tables import write_examples
from tests.support.repository import REPOSITORY
from tests.support.workspace import GIT_IDENTITY


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository after its first commit, of somebody without settings or keys."""
    root = tmp_path / "repository"
    (root / ".dvc" / "tmp").mkdir(parents=True)
    (root / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/config.local\n")
    for name in ("params.yaml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, root)
    for name in list(os.environ):
        if name.startswith(("AWS_", "DVC_", "GIT_", "SSH_")):
            monkeypatch.delenv(name)
    for variable in ("HOME", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for name, value in GIT_IDENTITY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(root)
    git(root, "init", "--quiet")
    commit(root)
    return root


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "run")


def found(root: Path, subject: str) -> list[Finding]:
    return [finding for finding in examine(root) if finding.subject == subject]


def one(root: Path, subject: str) -> Finding:
    (finding,) = found(root, subject)
    return finding


def set_param(root: Path, old: str, new: str) -> None:
    path = root / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def configure(root: Path, text: str, name: str = "config") -> None:
    (root / ".dvc" / name).write_text(text)


SUBJECTS = (
    *("account", "folders", "python", "packages", "versions", "params", "cores", "memory"),
    *("precision", "git", "dvc", "file system", "disk", "cache", "remote"),
    *("data", "links", "tracking", "outputs", "notices", "checkpoints", "locks"),
)


def test_every_examination_speaks_and_none_is_alarmed_here(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tuple(finding.subject for finding in examine(root)) == SUBJECTS
    assert len(EXAMINATIONS) == len(SUBJECTS)
    monkeypatch.setattr(installation, "available_memory", lambda: 10**10)
    alarmed = {one.subject for one in examine(root) if one.level is not Level.OK}
    assert alarmed == {"remote"}


def test_every_finding_that_is_not_well_has_a_remedy(root: Path) -> None:
    (root / "params.yaml").write_text("base: {}\n")
    shutil.rmtree(root / ".dvc")
    shutil.rmtree(root / ".git")
    (root / "constraints.txt").unlink()
    bad = [finding for finding in examine(root) if finding.level is not Level.OK]
    assert {"params", "cores", "git", "dvc", "versions"} <= {one.subject for one in bad}
    assert all(finding.remedy for finding in bad)


def test_a_weight_of_a_label_that_the_last_run_did_not_see_is_told(root: Path) -> None:
    set_param(root, "class_weights: none", "class_weights: {bea: 2}")
    assert one(root, "params").level is Level.OK, "no run yet"
    write_examples(root / "data/examples", [{"label": "ant"}, {"label": "bee"}])
    finding = one(root, "params")
    assert finding.level is Level.WARNING, "the next run may see it"
    assert "finetune.class_weights.bea: expected a label of" in finding.found
    assert "dvc repro ingest" in finding.remedy
    (root / "data/examples/manifest.json").unlink()
    assert "the table is unfinished" in one(root, "params").found


def test_the_command_fails_only_where_a_run_would(root: Path) -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "WARNING  remote: none configured" in result.output
    (root / "params.yaml").write_text("base: {}\n")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "base.seed: missing key" in result.output
    assert "-> Mend params.yaml." in result.output


def test_it_takes_little_of_the_processor(root: Path) -> None:
    before = time.process_time()
    list(examine(root))
    assert time.process_time() - before < 2


def test_python_of_another_version_is_fatal(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation.platform, "python_version", lambda: "3.8.1")
    assert one(root, "python").level is Level.FATAL
    assert "3.8.1, wanted" in one(root, "python").found


def test_packages_of_other_versions_are_named(root: Path) -> None:
    (root / "constraints.txt").write_text("pydantic==0.1\nnot-installed-here==1\n")
    finding = one(root, "versions")
    assert finding.level is Level.WARNING
    assert "instead of 0.1" in finding.found
    assert "not-installed-here" not in finding.found


def test_packages_that_are_missing_are_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "installed", lambda name: None if name == "torch" else "1")
    finding = one(root, "packages")
    assert (finding.level, finding.found) == (Level.FATAL, "not installed: torch")


def test_cores_are_compared_with_threads(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "available_cores", lambda: 2)
    assert one(root, "cores").level is Level.OK
    monkeypatch.setattr(environment, "available_cores", lambda: 1)
    finding = one(root, "cores")
    assert finding.level is Level.WARNING
    assert finding.found.startswith("1 core for base.num_threads = 2: slower, but the same results")


def test_the_precision_of_this_processor_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "multiplies_bf16", lambda: False)
    assert one(root, "precision").found.startswith("fp32, by this processor")
    set_param(root, "precision: auto", "precision: bf16")
    assert one(root, "precision").found == "bf16"


@pytest.mark.parametrize(
    "content",
    [
        '<<<<<<< HEAD\n{"environments": {}, "stages": {}}\n',
        '{"environments": {},\n<<<<<<< HEAD\n"stages": {}}\n=======\n>>>>>>> other\n',
        '{"environments": {}, "stages": {}}\n>>>>>>> other\n',
        "",
        "[]",
        '{"environments": {}}',
        '{"environments": {}, "stages": {"ingest": {"environment": "gone", "outs": {"a": "b"}}}}',
    ],
)
def test_a_record_that_no_stage_could_add_to_is_fatal(root: Path, content: str) -> None:
    (root / "environment.json").write_text(content)
    (finding,) = (one for one in examine(root) if one.level is Level.FATAL)
    assert finding.found.startswith("environment.json is no record of environments")
    assert "Settle the merge if there was one, or delete environment.json" in finding.remedy
    (root / "environment.json").unlink()
    assert Level.FATAL not in [one.level for one in examine(root)]


def test_git_is_needed_with_the_results_committed(root: Path) -> None:
    assert one(root, "git").level is Level.OK
    (root / "metrics").mkdir()
    (root / "metrics" / "it.json").write_text("{}")
    (root / "reports" / "plots").mkdir(parents=True)
    (root / "reports" / "plots" / "it.csv").write_text("x,y\n")
    (root / "dvc.lock").write_text("stages: {}")
    finding = one(root, "git")
    told = "not committed: dvc.lock, metrics/it.json, reports/plots/it.csv"
    assert (finding.level, finding.found) == (Level.WARNING, told)
    assert finding.remedy == (
        "If nothing here is fatal: git add params.yaml dvc.lock metrics reports/plots, then commit."
    )
    commit(root)
    assert one(root, "git").level is Level.OK
    shutil.rmtree(root / ".git")
    assert one(root, "git").level is Level.FATAL
    git(root, "init", "--quiet")
    assert one(root, "git").found == "no commit yet"


def test_git_that_does_not_work_is_fatal_in_its_own_words(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / ".git" / "HEAD").write_text("")
    finding = one(root, "git")
    assert finding.level is Level.FATAL
    assert "not a git repository" in finding.found
    assert "git init and commit" not in finding.remedy
    monkeypatch.setenv("PATH", "/nowhere")
    assert one(root, "git").found == "cannot be run (No such file or directory)"


def test_a_damaged_index_is_mended_by_the_command_that_is_told(root: Path) -> None:
    (root / ".git" / "index").write_bytes(b"DIRC" + bytes(100))
    finding = one(root, "git")
    assert finding.level is Level.FATAL
    subprocess.run(finding.remedy, shell=True, cwd=root, check=True)
    assert one(root, "git").level is Level.OK


def test_a_record_with_the_marks_of_a_merge_is_found(root: Path) -> None:
    (root / "environment.json").write_text("<<<<<<< HEAD\n{}\n")
    assert "environment.json is no record of environments" in one(root, "git").found


def test_a_shallow_clone_is_told(root: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{root}", str(shallow))
    finding = found(shallow, "git")[0]
    assert finding.level is Level.WARNING
    assert "a shallow clone, with 1 commit(s)" in finding.found


def test_without_dvc_or_with_torn_settings_nothing_runs(root: Path) -> None:
    configure(root, "[core\n")
    assert "settings are not valid" in one(root, "dvc").found
    assert found(root, "cache") == []
    shutil.rmtree(root / ".dvc")
    assert (one(root, "dvc").level, one(root, "dvc").found) == (Level.FATAL, "no .dvc folder here")


@pytest.mark.parametrize(
    ("free", "level"), [(9e9, Level.OK), (3e9, Level.WARNING), (1e8, Level.FATAL)]
)
def test_the_disk_needs_room(
    root: Path, monkeypatch: pytest.MonkeyPatch, free: float, level: Level
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert one(root, "disk").level is level


def test_what_cannot_be_looked_at_is_fatal_and_hides_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root))

    monkeypatch.setattr(storage.tempfile, "TemporaryDirectory", full)
    assert tuple(finding.subject for finding in examine(root)) == SUBJECTS
    finding = one(root, "cache")
    assert finding.level is Level.FATAL
    assert "No space left on device" in finding.found
    assert finding.remedy


def test_the_cache_is_measured_and_its_links_are_tried(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = root / ".dvc/cache/files/md5/ab"
    place.mkdir(parents=True)
    (place / "cdef").write_bytes(b"x" * 1500)
    monkeypatch.setattr(storage, "_works", lambda kind, *_: kind in ("hardlink", "copy"))
    finding = one(root, "cache")
    assert finding.found == "2 kB in the cache, outputs are copies that need their size again"
    assert "cache.type reflink,hardlink,copy" in finding.remedy
    configure(root, "[cache]\n    type = hardlink,copy\n")
    assert "outputs are a hardlink of it and cost nothing" in one(root, "cache").found
    monkeypatch.setattr(storage, "_works", lambda kind, *_: kind == "copy")
    assert (one(root, "cache").level, one(root, "cache").remedy) == (Level.OK, "")


def test_links_are_tried_for_real_and_leave_nothing(root: Path) -> None:
    before = sorted(root.rglob("*"))
    assert storage._works("hardlink", root / ".dvc", root)
    assert storage._works("symlink", root / ".dvc", root)
    assert storage._works("copy", root / ".dvc", root)
    storage._works("reflink", root / ".dvc", root)
    assert sorted(root.rglob("*")) == before


def test_a_cache_elsewhere_must_be_writable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(root, f"[cache]\n    dir = {root.parent / 'shared' / 'cache'}\n")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != root.parent)
    finding = one(root, "cache")
    assert finding.level is Level.FATAL
    assert finding.found == f"{root.parent} is not writable"


GOOD = "['remote \"team\"']\n    url = /mnt/team\n    verify = true\n"


def test_a_remote_is_well_that_checks_what_it_gives(root: Path) -> None:
    assert one(root, "remote").found.startswith("none configured")
    configure(root, GOOD)
    assert (one(root, "remote").level, one(root, "remote").found) == (
        *(Level.OK, "'team' is configured"),
    )
    configure(root, GOOD.replace("    verify = true\n", ""))
    finding = one(root, "remote")
    assert finding.level is Level.WARNING
    assert finding.remedy == "dvc remote modify team verify true"


@pytest.mark.parametrize(
    ("url", "line", "key"),
    [
        ("s3://bucket/x", "secret_access_key = abc", "secret_access_key"),
        ("s3://bucket/x", "session_token = abc", "session_token"),
        ("webdavs://host/x", "password = abc", "password"),
        ("ssh://user:abc@host/x", "", "url"),
    ],
)
def test_a_secret_that_git_shares_is_fatal(root: Path, url: str, line: str, key: str) -> None:
    text = GOOD.replace("/mnt/team", url) + (f"    {line}\n" if line else "")
    configure(root, text)
    (finding,) = [item for item in found(root, "remote") if item.level is Level.FATAL]
    assert finding.found.endswith(f"which git shares: {key}")
    assert "abc" not in str(finding)
    assert "If it was ever committed, change the secret too." in finding.remedy
    if line:
        assert f"dvc remote modify --local team {key}" in finding.remedy
        configure(root, GOOD.replace("/mnt/team", url))
        configure(root, f"['remote \"team\"']\n    {line}\n", "config.local")
        assert Level.FATAL not in {item.level for item in found(root, "remote")}


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("s3://bucket/x", {"AWS_ACCESS_KEY_ID": "a"}),
        ("ssh://host/x", {"SSH_AUTH_SOCK": "/run/agent"}),
        ("ssh://host/x", "keyfile = /keys/mine"),
        ("webdavs://host/x", "password = abc"),
    ],
)
def test_credentials_are_looked_for(
    root: Path, monkeypatch: pytest.MonkeyPatch, url: str, given: dict[str, str] | str
) -> None:
    user = "    user = me\n" if url.startswith("webdav") else ""
    configure(root, GOOD.replace("/mnt/team", url) + user)
    finding = one(root, "remote")
    assert (finding.level, finding.found) == (Level.WARNING, "'team' has no credentials here")
    if isinstance(given, str):
        configure(root, f"['remote \"team\"']\n    {given}\n", "config.local")
    else:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    assert one(root, "remote").level is Level.OK


def test_a_kind_of_remote_without_its_package_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(root, GOOD.replace("/mnt/team", "webdavs://host/x"))
    monkeypatch.setattr(remotes, "installed", lambda _: None)
    assert one(root, "remote").found == "'team' needs the package dvc-webdav"


def test_remotes_are_asked_only_on_demand_and_not_for_long(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def answer(command: list[str], **options: object) -> SimpleNamespace:
        if command[0] == "git":
            return SimpleNamespace(returncode=0, stdout=b"", stderr=b"")
        asked.append((command[-2], options["timeout"]))
        if isinstance(reply, Exception):
            raise reply
        return reply

    configure(root, GOOD)
    monkeypatch.setenv("GIT_DIR", str(root / ".git"))
    monkeypatch.setattr(subprocess, "run", answer)
    replies = {
        "answers and has what": SimpleNamespace(returncode=0, stderr=""),
        "hold unlike data": SimpleNamespace(returncode=1, stderr=""),
        "cannot be used: no such host": SimpleNamespace(
            returncode=255, stderr="note\nERROR: no such host\n"
        ),
        "did not answer within": subprocess.TimeoutExpired("dvc", 30),
    }
    for told, reply in replies.items():  # noqa: B007
        list(examine(root))
        assert not asked
        finding = [item for item in examine(root, remote=True) if item.subject == "remote"][-1]
        assert told in finding.found
        assert (finding.level is Level.OK) == ("answers" in told or "hold" in told)
        assert asked.pop() == ("team", remotes.REACH_SECONDS)


def test_a_remote_is_reached_for_real(root: Path) -> None:
    configure(root, GOOD.replace("/mnt/team", str(root.parent / "storage")))
    assert "answers" in next(remotes.reach(root)).found


def test_rows_are_looked_for_where_params_name_them(root: Path) -> None:
    assert one(root, "data").found == "source 'emoji' needs no files of yours"
    set_param(root, "source: emoji", "source: manifest")
    assert one(root, "data").found == "ingest.manifest.path is null"
    set_param(root, "path: null", "path: data/raw/mine/*.csv")
    finding = one(root, "data")
    assert (finding.level, finding.remedy) == (Level.FATAL, "Put it there, or mend the path.")
    (root / "data/raw").mkdir(parents=True)
    (root / "data/raw/mine.dvc").write_text("outs: []")
    assert one(root, "data").remedy == "dvc pull data/raw/mine.dvc"
    (root / "data/raw/mine").mkdir()
    (root / "data/raw/mine/rows.csv").write_text("text\n")
    assert one(root, "data").level is Level.OK


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("''", Level.FATAL),
        ("data/**x/[", Level.FATAL),
        ("data/raw/*", Level.FATAL),
        ("data/raw/**/*.csv", Level.OK),
        ("data/raw/odd[1].csv", Level.OK),
        ("{root}/data/raw/mine/*.csv", Level.OK),
        ("{root}/data/raw/none/*.csv", Level.FATAL),
        ("/", Level.OK),
    ],
)
def test_patterns_are_looked_for_as_sources_do(root: Path, path: str, level: Level) -> None:
    set_param(root, "source: emoji", "source: manifest")
    set_param(root, "path: null", f"path: {path.format(root=root)}")
    (root / "data/raw/mine").mkdir(parents=True)
    (root / "data/raw/mine/rows.csv").write_text("text\n")
    if "odd" in path:
        (root / "data/raw/odd[1].csv").write_text("text\n")
    (root / "data/raw/.hidden").write_text("")
    assert one(root, "data").level is level


def test_rows_outside_of_the_repository_are_not_pulled(root: Path) -> None:
    set_param(root, "source: emoji", "source: manifest")
    set_param(root, "path: null", f"path: {root.parent}/rows.csv")
    (root.parent / "rows.csv.dvc").write_text("outs: []")
    assert one(root, "data").remedy == "Put it there, or mend the path."


def locked(root: Path, *outs: tuple[str, str]) -> None:
    stage = {"cmd": "x", "outs": [{"path": path, "md5": md5} for path, md5 in outs]}
    (root / "dvc.lock").write_text(json.dumps({"stages": {"ingest": stage}}))


def cached(root: Path, md5: str, content: str = "rows") -> Path:
    place = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    return place


def test_outputs_are_looked_for_here_and_in_the_cache(root: Path) -> None:
    assert one(root, "outputs").found == "none yet"
    locked(root, ("data/rows", "aa1.dir"), ("metrics/it.json", "bb2"))
    assert one(root, "outputs").found == (
        "neither here nor in the cache: data/rows, metrics/it.json"
    )
    assert one(root, "outputs").remedy.startswith("dvc pull")
    (root / "metrics").mkdir()
    (root / "metrics/it.json").write_text("{}")
    cached(root, "aa1.dir", json.dumps([{"md5": "cc3", "relpath": "part"}]))
    assert one(root, "outputs").found == "neither here nor in the cache: data/rows"
    cached(root, "cc3")
    finding = one(root, "outputs")
    assert (finding.found, finding.remedy) == (
        *("1 of 2 are in the cache only", "dvc checkout puts them into place."),
    )
    (root / "data/rows").mkdir(parents=True)
    assert (one(root, "outputs").level, one(root, "outputs").found) == (
        *(Level.OK, "all 2 are here"),
    )
    (root / "dvc.lock").write_text("<<<<<<< HEAD\n")
    assert one(root, "outputs").level is Level.FATAL


@pytest.mark.parametrize("content", [b"[{", b"\xff", b"{}x", b"[1]", b'[{"relpath": "x"}]'])
def test_a_torn_list_in_the_cache_is_no_output(root: Path, content: bytes) -> None:
    locked(root, ("data/rows", "aa1.dir"))
    cached(root, "aa1.dir").write_bytes(content)
    assert one(root, "outputs").found == "neither here nor in the cache: data/rows"


@pytest.mark.parametrize(
    "content",
    [
        b"stages: \xff\n",
        b"",
        b"[]",
        b"stages: {a: 1}",
        b"stages: {a: {deps: }}",
        b"stages:\n  a:\n",
    ],
)
def test_a_lock_file_that_is_none_is_fatal(root: Path, content: bytes) -> None:
    """Such as the part that a `dvc` leaves which is killed while it writes."""
    (root / "dvc.lock").write_bytes(content)
    found = one(root, "outputs")
    assert (found.level, found.found) == (Level.FATAL, "dvc.lock is not readable")
    assert "git checkout dvc.lock, then dvc repro" in found.remedy


def test_checkpoints_of_stopped_stages_are_measured(root: Path) -> None:
    family = root / WORK_FOLDER / "finetune"
    family.mkdir(parents=True)
    (family / "lock").touch()
    assert one(root, "checkpoints").found == "none left"
    (family / "0123456789abcdef" / "checkpoint-1").mkdir(parents=True)
    (family / "0123456789abcdef" / "checkpoint-1" / "model").write_bytes(b"x" * 2_000_000)
    finding = one(root, "checkpoints")
    assert finding.found == "of stopped stages: finetune (2 MB)"
    assert finding.remedy.endswith("rm -r .checkpoints/finetune")


def test_checkpoints_of_a_stage_at_work_are_not_to_be_removed(root: Path) -> None:
    for name in ("finetune", "pretrain"):
        work = root / WORK_FOLDER / name / "0123456789abcdef"
        work.mkdir(parents=True)
        (work / "model").write_bytes(b"x" * 2_000_000)
        (work.parent / "lock").touch()
    with (root / WORK_FOLDER / "pretrain/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        finding = one(root, "checkpoints")
        assert finding.found == "of stopped stages: finetune (2 MB); pretrain at work"
        assert finding.remedy.endswith("rm -r .checkpoints/finetune")
        shutil.rmtree(root / WORK_FOLDER / "finetune")
        assert one(root, "checkpoints").found == "none left, pretrain at work"
    assert one(root, "checkpoints").found == "of stopped stages: pretrain (2 MB)"


def test_a_dvc_at_work_is_noticed(root: Path) -> None:
    path = root / ".dvc/tmp/lock"
    path.write_text("1")
    assert one(root, "locks").level is Level.OK
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert one(root, "locks").found == "another dvc is at work here"
    assert one(root, "locks").level is Level.OK


@pytest.mark.parametrize(
    ("pid", "level", "told"),
    [
        ("dead", Level.OK, "a dvc that was killed left some"),
        ("dvc", Level.WARNING, "another dvc is at work here: process"),
        ("other", Level.WARNING, "which does not look like one"),
    ],
)
def test_locks_of_the_dead_are_told_from_those_of_the_living(
    root: Path, pid: str, level: Level, told: str
) -> None:
    name = "dvc-like" if pid == "dvc" else "other"
    with subprocess.Popen(["sh", "-c", f"sleep 60; : {name}"], start_new_session=True) as process:
        if pid == "dead":
            process.kill()
            process.wait()
        holder = {"pid": process.pid, "cmd": "dvc repro"}
        content = {"write": {"data/rows": holder}, "read": {"data/raw": [holder]}}
        (root / ".dvc/tmp/rwlock").write_text(json.dumps(content))
        finding = one(root, "locks")
        if pid != "dead":
            os.killpg(process.pid, 9)
    assert finding.level is level
    assert told in finding.found
    assert bool(finding.remedy) == (level is not Level.OK)


def test_a_torn_file_of_locks_is_named(root: Path) -> None:
    (root / ".dvc/tmp/rwlock").write_text("{")
    finding = one(root, "locks")
    assert (finding.level, finding.remedy) == (Level.FATAL, "rm .dvc/tmp/rwlock")
