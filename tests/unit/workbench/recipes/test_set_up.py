"""`fuseline init --recipe` lays a recipe over a project, and over no file of the user's."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.config import read_yaml
from fuseline.params.whole import check
from fuseline.workbench.project.files import RECIPES, carried
from fuseline.workbench.recipes import recipe as recipes
from fuseline.workbench.recipes.recipe import read_recipe
from tests.support.repository import REPOSITORY

NAMES = sorted(path.parent.name for path in (REPOSITORY / "recipes").glob("*/recipe.yaml"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "data" / "raw").mkdir(parents=True)
    shutil.copy(REPOSITORY / "params.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with one recipe, `plain`."""
    folder = tmp_path / "installed" / RECIPES / "plain"
    (folder / "project" / "knowledge").mkdir(parents=True)
    (folder / "project" / "knowledge" / "answers.csv").write_text("question,answer\n")
    (folder / "README.md").write_text("# Plain\n")
    (folder / "recipe.yaml").write_text(
        "about: a plain one.\nuses: {mood: label, price: nothing}\n"
    )
    (folder / "params.yaml").write_text(
        "base: {seed: 4}\n"
        "prompt: {label_words: {up: [rise]}}\n"
        "finetune:\n"
        "  tasks:\n"
        "    - {kind: classification, target: label, weight: 1.0}\n"
        "    - {kind: classification, target: topic, weight: 0.5}\n"
    )
    monkeypatch.setattr(recipes, "carried", lambda: tmp_path / "installed")
    return folder


def init(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["init", *map(str, arguments)])


def news(root: Path, *more: str) -> Path:
    """Rows of a sentence, its mood and a price, and further columns of two values."""
    path = root / "data/raw/news/rows.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["words", "mood", "price", *more])
        for row in range(12):
            words = f"the shares of firm {row} moved in the morning"
            lines.writerow(
                [words, ("up", "down")[row % 2], f"{row}.5", *["xy"[row % 3 == 0]] * len(more)]
            )
    return path


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_leaves_a_valid_project(root: Path, name: str) -> None:
    result = init("--recipe", name, "--yes")
    assert result.exit_code == 0, result.output
    check(read_yaml(root / "params.yaml"))
    recipe = read_recipe(name)
    assert all((root / place).read_bytes() == at.read_bytes() for place, at in recipe.files.items())
    brought = recipe.example_files.items()
    assert all((root / place).read_bytes() == at.read_bytes() for place, at in brought)
    assert f"How to go on: recipes/{name}/README.md" in result.output
    assert (root / "params.yaml.bak").read_bytes() == (REPOSITORY / "params.yaml").read_bytes()


def test_data_that_it_brings_are_for_whoever_names_none(root: Path, made_up: Path) -> None:
    (made_up / "example/data/raw/people").mkdir(parents=True)
    (made_up / "example/data/raw/people/events.csv").write_text("user,item,time\n")
    (made_up / "example.yaml").write_text("ingest: {interactions: {path: data/raw/people}}\n")
    assert init(news(root), "--recipe", "plain", "--yes").exit_code == 0
    assert read_yaml(root / "params.yaml")["ingest"]["interactions"]["path"] is None
    assert not (root / "data/raw/people").exists()
    assert init("--recipe", "plain", "--yes").exit_code == 0
    content = read_yaml(root / "params.yaml")
    assert content["ingest"]["interactions"]["path"] == "data/raw/people"
    assert content["base"]["seed"] == 4
    assert (root / "data/raw/people/events.csv").is_file()


def test_a_name_that_is_none_lists_those_there_are(root: Path, made_up: Path) -> None:
    result = init("--recipe", "plane", "--yes")
    assert result.exit_code == 2
    assert (
        "--recipe: unknown name 'plane'. Valid names: plain. Did you mean 'plain'?" in result.output
    )


def test_neither_data_nor_recipe_is_told(root: Path) -> None:
    result = init("--yes")
    assert result.exit_code == 2
    assert "expected your data or a recipe, found neither" in result.output


def test_it_sets_its_params_over_those_of_the_data(root: Path, made_up: Path) -> None:
    result = init(
        news(root, "topic"), "--recipe", "plain", "--yes", "--use", "topic=target:category"
    )
    assert result.exit_code == 0, result.output
    content = read_yaml(root / "params.yaml")
    check(content)
    assert content["base"] == read_yaml(REPOSITORY / "params.yaml")["base"] | {
        "seed": 4,
        "modalities": ["text"],
    }
    assert content["prompt"]["label_words"] == {"up": ["rise"]}
    assert content["ingest"]["manifest"]["columns"]["label"] == "mood"
    assert content["ingest"]["manifest"]["columns"]["tabular"] == []
    assert [task["target"] for task in content["finetune"]["tasks"]] == ["label", "topic"]


def test_a_task_whose_column_the_data_lack_is_left_out(root: Path, made_up: Path) -> None:
    assert init(news(root), "--recipe", "plain", "--yes").exit_code == 0
    tasks = read_yaml(root / "params.yaml")["finetune"]["tasks"]
    assert [task["target"] for task in tasks] == ["label"]


def test_what_somebody_says_of_a_column_counts_before_what_the_recipe_knows(
    root: Path, made_up: Path
) -> None:
    uses = ("--use", "price=label")
    assert init(news(root), "--recipe", "plain", "--yes", *uses).exit_code == 0
    columns = read_yaml(root / "params.yaml")["ingest"]["manifest"]["columns"]
    assert columns["label"] == "price"


def test_files_of_the_user_stay_and_are_named(root: Path, made_up: Path) -> None:
    (root / "knowledge").mkdir()
    (root / "knowledge/answers.csv").write_text("my own\n")
    result = init("--recipe", "plain", "--yes")
    assert (root / "knowledge/answers.csv").read_text() == "my own\n"
    assert (root / "recipes/plain/README.md").read_text() == "# Plain\n"
    assert "Put in place: recipes/plain/README.md." in result.output
    assert "knowledge/answers.csv was there and stays as it is" in result.output
    (root / "knowledge/answers.csv").unlink()
    again = init("--recipe", "plain", "--yes")
    assert (root / "knowledge/answers.csv").read_text() == "question,answer\n"
    assert "It is as it was before." in again.output


def test_a_file_in_the_place_of_a_folder_is_refused_before_anything_is_written(
    root: Path, made_up: Path
) -> None:
    for name in ("file", "link"):
        blocked = root / "knowledge"
        blocked.symlink_to("nowhere") if name == "link" else blocked.touch()
        result = init(news(root) if name == "file" else "--recipe=plain", "--recipe=plain", "--yes")
        assert (result.exit_code, "knowledge: expected a folder" in result.output) == (2, True)
        assert not (root / "recipes").exists()
        assert (root / "params.yaml").read_bytes() == (REPOSITORY / "params.yaml").read_bytes()
        blocked.unlink()


def test_a_link_that_leads_nowhere_stays(root: Path, made_up: Path) -> None:
    (root / "knowledge").mkdir()
    (root / "knowledge/answers.csv").symlink_to("nowhere")
    result = init("--recipe", "plain", "--yes")
    assert "knowledge/answers.csv was there and stays as it is" in result.output
    assert (root / "knowledge/answers.csv").is_symlink()


def test_a_file_where_a_folder_is_needed_is_told_before_anything_is_written(
    root: Path, made_up: Path
) -> None:
    (root / "recipes").write_text("my own\n")
    before = (root / "params.yaml").read_bytes()
    result = init("--recipe", "plain", "--yes")
    assert result.exit_code == 2
    assert "recipes: expected a folder, for recipes/plain/README.md, or nothing" in result.output
    assert (root / "params.yaml").read_bytes() == before
    (root / "recipes").rename(root / "recipes.txt")
    assert init("--recipe", "plain", "--yes").exit_code == 0


def test_nothing_is_written_unasked_or_where_it_would_be_wrong(root: Path, made_up: Path) -> None:
    assert init("--recipe", "plain").exit_code == 2
    (made_up / "params.yaml").write_text("base: {sede: 4}\n")
    wrong = init("--recipe", "plain", "--yes")
    assert wrong.exit_code == 2
    assert "base.sede: unknown key" in wrong.output
    assert sorted(path.name for path in root.iterdir()) == ["data", "params.yaml"]


def test_a_checkout_reads_its_own(root: Path) -> None:
    assert carried() == REPOSITORY
