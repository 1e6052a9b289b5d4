"""A project made by an installed wheel runs what the installed package is, and no more."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from ruamel.yaml import YAML

from tests.support.repository import REPOSITORY
from tests.support.servers import RCLONE, listening
from tests.support.wheel import build, clone
from tests.support.workspace import SMALL_PARAMS, Workspace

# A module that one quick stage imports, and no other.
CHANGED = "fuseline/evaluation/leakage/rules.py"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the wheel, as an installation lays it out."""
    home = tmp_path_factory.mktemp("installed")
    with ZipFile(build(clone(home / "sources"), "wheel", home / "wheel")) as wheel:
        wheel.extractall(home / "site-packages")
    return home / "site-packages"


@pytest.fixture(autouse=True)
def instead_of_the_repository(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command and stage imports the unpacked package."""
    monkeypatch.setenv("PYTHONPATH", str(installed))


@pytest.fixture(scope="module")
def project(
    installed: Path, finished: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """A new project with the params, cache and results of the repository's finished run."""
    home = Workspace(tmp_path_factory.mktemp("projects"))
    made = home.run(*fuseline("new", "mine"), PYTHONPATH=str(installed))
    assert made.returncode == 0, made.stdout
    workspace = Workspace(home.root / "mine")
    workspace.set_params(SMALL_PARAMS)
    for name in ("data", "models", "metrics", "reports", ".dvc/cache"):
        shutil.copytree(finished.root / name, workspace.root / name, dirs_exist_ok=True)
    for name in ("dvc.lock", "code.json", "environment.json"):
        shutil.copy(finished.root / name, workspace.root)
    return workspace


def fuseline(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fuseline.cli", *arguments]


def test_stages_of_the_same_code_as_the_repository_s_do_not_run_again(
    project: Workspace, finished: Workspace, tmp_path: Path
) -> None:
    assert (project.root / "params.yaml").read_text() == (finished.root / "params.yaml").read_text()
    here = project.copy(tmp_path / "project")
    before = here.hashes(["code.json", "environment.json"])
    assert here.repro() == ["code"]
    lock = here.lock
    assert here.repro() == ["code"]
    assert here.lock == lock
    assert here.hashes(["code.json", "environment.json"]) == before


def test_another_installed_package_runs_the_stages_whose_code_differs(
    project: Workspace, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = project.copy(tmp_path / "project")
    elsewhere = tmp_path / "another place"
    shutil.copytree(installed, elsewhere)
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    module = elsewhere / CHANGED
    module.write_text(f"# A comment.\n{module.read_text()}")
    assert here.repro() == ["code"]
    module.write_text(f"{module.read_text()}\n\nADDED = 1\n")
    assert here.repro() == ["code", "leakage"]
    assert here.repro() == ["code"]


def test_code_of_the_project_s_own_counts_as_well(project: Workspace, tmp_path: Path) -> None:
    here = project.copy(tmp_path / "project")
    script, package = here.root / "stages/leakage.py", here.root / "src/mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    script.write_text(f"import mine\n{script.read_text()}")
    assert here.repro() == ["code", "leakage"]
    (package / "__init__.py").write_text("ADDED = 1\n")
    assert here.repro() == ["code", "leakage"]


def test_a_run_is_verified_and_summarised_and_names_no_place(
    project: Workspace, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = project.copy(tmp_path / "project")
    here.repro()
    for name in ("dvc.yaml", "dvc.lock", "code.json", "environment.json"):
        text = (here.root / name).read_text()
        places = [installed, here.root, REPOSITORY, Path(sys.prefix)]
        assert [place for place in places if str(place) in text] == [], name
    for arguments in (("add", "--all"), ("commit", "--quiet", "--message", "A run")):
        assert here.run("git", *arguments).returncode == 0
    assert "every value valid" in said(here, "check")
    assert "results of the last run are committed" in said(here, "doctor")
    assert "Reproduced to the last byte" in said(here, "verify")
    assert "on the test split" in said(here, "summary")
    shutil.copytree(installed, tmp_path / "another", dirs_exist_ok=True)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "another"))
    with (tmp_path / "another" / CHANGED).open("a") as module:
        module.write("ADDED = 1\n")
    here.repro("code")
    assert "code                      differs as expected its code" in said(here, "verify")


def said(workspace: Workspace, command: str) -> str:
    done = workspace.run(*fuseline(command))
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_store_of_a_project_takes_and_gives_with_the_keys_of_its_own(tmp_path: Path) -> None:
    """Its commands, keys and remote are those that the compose file and the page name."""
    keys = {"AWS_ACCESS_KEY_ID": "project", "AWS_SECRET_ACCESS_KEY": "made-up-secret"}
    objects = tmp_path / "objects"
    (objects / "project").mkdir(parents=True)
    home = Workspace(tmp_path / "home")
    home.root.mkdir()
    home.run(*fuseline("new", "mine"))
    here = Workspace(home.root / "mine")
    text = (here.root / "compose.yaml").read_text()
    text = re.sub(r"\$\{(AWS_\w+)[^}]*\}", lambda variable: keys[variable[1]], text)
    store = YAML(typ="safe").load(text)["services"]["store"]

    def command(port: int) -> list[str]:
        places = {"/objects": str(objects), ":8080": f"127.0.0.1:{port}"}
        settings = [f"{name}={value}" for name, value in store["environment"].items()]
        return ["env", *settings, *RCLONE, *(places.get(word, word) for word in store["command"])]

    with listening(command, tmp_path / "log") as port:
        keys["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
        for line in re.findall(r"^ +(dvc remote .*)$", (here.root / "README.md").read_text(), re.M):
            assert here.run(*line.split()).returncode == 0
        (here.root / "data/raw/rows.csv").write_text("text,label\n")
        here.run("dvc", "add", "data/raw/rows.csv")
        pushed = here.run("dvc", "push", **keys)
        assert "1 file pushed" in pushed.stdout, pushed.stdout
        shutil.rmtree(here.root / ".dvc/cache")
        (here.root / "data/raw/rows.csv").unlink()
        refused = here.run("dvc", "pull", **keys | {"AWS_SECRET_ACCESS_KEY": "wrong"})
        assert "Forbidden" in refused.stdout, refused.stdout
        pulled = here.run("dvc", "pull", **keys)
        assert "1 file fetched" in pulled.stdout, pulled.stdout
