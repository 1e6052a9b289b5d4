"""A stage's hash moves with the code that it imports, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest

from fuseline.errors import ContractError
from fuseline.pipeline import provenance
from fuseline.pipeline.provenance import SourceTree, stage_hashes
from tests.support.repository import REPOSITORY

FILES = {
    "src/shop/__init__.py": "",
    "src/shop/prices.py": '"""Prices."""\n\nRATE = 2\n',
    "src/shop/stock.py": "from shop import prices\n\n\ndef count():\n    return prices.RATE\n",
    "src/shop/labels.py": (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from shop import stock\n"
    ),
    "src/shop/print/__init__.py": "",
    "src/shop/print/page.py": "from ..labels import TYPE_CHECKING\n",
    "src/shop/print/page.html.j2": "<p>{{ text }}</p>\n",
    "src/shop/print/fonts/plain.txt": "plain\n",
    "src/shop/print/ink.py": "COLOUR = 'black'\n",
    "stages/__init__.py": "",
    "stages/buy.py": "def main():\n    import shop.stock\n",
    "stages/show.py": "from shop.print import page\n",
    "stages/paint.py": "from shop.print.ink import COLOUR\n",
    "stages/code.py": "import shop\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def hashes(root: Path) -> dict[str, str]:
    return stage_hashes(root / "src", root / "stages")


def changed(root: Path, name: str, content: str) -> set[str]:
    """Stages whose hash moves when a file gets this content."""
    before = hashes(root)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    after = hashes(root)
    return {stage for stage in before if before[stage] != after[stage]}


def test_every_stage_but_code_has_a_hash(shop: Path) -> None:
    assert sorted(hashes(shop)) == ["buy", "paint", "show"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("src/shop/prices.py", '"""Other words."""\n\nRATE = 2\n'),
        ("src/shop/prices.py", '"""Prices."""\nRATE = 2  # a remark\n'),
        ("src/shop/prices.py", "RATE=(2)"),
        (
            "src/shop/stock.py",
            'from shop import prices\ndef count():\n "How many."\n return prices.RATE',
        ),
        ("src/shop/unused.py", "ANSWER = 42\n"),
        ("src/shop/__pycache__/prices.cpython-311.pyc", "bytes"),
        ("src/shop/.prices.py.swp", "an editor's"),
    ],
)
def test_words_and_formatting_change_nothing(shop: Path, name: str, content: str) -> None:
    assert changed(shop, name, content) == set()


@pytest.mark.parametrize(
    ("name", "content", "stages"),
    [
        ("src/shop/prices.py", "RATE = 3\n", {"buy"}),
        ("src/shop/prices.py", "RATE = 2.0\n", {"buy"}),
        ("src/shop/prices.py", "RATE = True\n", {"buy"}),
        ("src/shop/labels.py", "from typing import TYPE_CHECKING\nx = None\n", {"show"}),
        ("src/shop/__init__.py", "x = 1\n", {"buy", "paint", "show"}),
        ("src/shop/print/__init__.py", "x = 1\n", {"paint", "show"}),
        ("src/shop/print/page.html.j2", "<b>{{ text }}</b>\n", {"show"}),
        ("src/shop/print/fonts/plain.txt", "bold\n", {"paint", "show"}),
        ("src/shop/print/fonts/new.txt", "new\n", {"paint", "show"}),
        ("stages/buy.py", "import shop.stock\n", {"buy"}),
        ("stages/__init__.py", "x = 1\n", {"buy", "paint", "show"}),
        ("stages/code.py", "import shop.print\n", set()),
    ],
)
def test_a_change_moves_exactly_the_stages_that_import_it(
    shop: Path, name: str, content: str, stages: set[str]
) -> None:
    assert changed(shop, name, content) == stages


def test_type_checking_imports_are_no_part_of_the_closure(shop: Path) -> None:
    closure = SourceTree.of(shop / "src", shop / "stages").closure("stages.show")
    assert closure == {
        *("stages", "stages.show"),
        *("shop", "shop.labels", "shop.print", "shop.print.page"),
    }


def test_what_runs_instead_of_type_checking_counts(shop: Path) -> None:
    text = "if not TYPE_CHECKING:\n    import shop.stock\n"
    (shop / "src/shop/labels.py").write_text(text)
    closure = SourceTree.of(shop / "src", shop / "stages").closure("stages.show")
    assert "shop.prices" in closure


def test_the_folder_that_it_lies_in_does_not_matter(shop: Path, tmp_path: Path) -> None:
    before = hashes(shop)
    moved = shop.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert hashes(moved) == before


def test_a_syntax_error_names_file_and_line(shop: Path) -> None:
    (shop / "src/shop/prices.py").write_text("RATE = 2\nRATE = = 3\n")
    with pytest.raises(ContractError, match=r"shop/prices\.py:2: expected valid Python, found"):
        hashes(shop)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        "fuseline", "stages", cache_dir=None, exclude_type_checking_imports=True
    )


@pytest.mark.parametrize(
    "stage", sorted(path.stem for path in (REPOSITORY / "stages").glob("[!_]*.py"))
)
def test_the_closure_agrees_with_grimp(graph: grimp.ImportGraph, stage: str) -> None:
    script = f"stages.{stage}"
    imported = {script} | graph.find_upstream_modules(script)
    # Python runs a module's parents before it; grimp leaves those out.
    parents = {name.rsplit(".", depth)[0] for name in imported for depth in range(1, 5)}
    for parent in set(parents):
        imported |= graph.find_upstream_modules(parent)
    tree = SourceTree.of(REPOSITORY / "src", REPOSITORY / "stages")
    assert tree.closure(script) == imported | parents


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of stages alone, beside an installed package."""
    files = {
        "site-packages/fuseline/__init__.py": "",
        "site-packages/fuseline/prices.py": "RATE = 2\n",
        "site-packages/other/__init__.py": "",
        "project/stages/__init__.py": "",
        "project/stages/buy.py": "from fuseline import prices\n",
        "project/stages/show.py": "import other\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(provenance, "INSTALLED", tmp_path / "site-packages/fuseline")
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("name", "content", "stages"),
    [
        ("../site-packages/fuseline/prices.py", "RATE = 3\n", {"buy"}),
        ("../site-packages/fuseline/prices.py", "# A comment.\nRATE = 2\n", set()),
        ("../site-packages/fuseline/prices.txt", "2\n", {"buy"}),
        ("../site-packages/other/__init__.py", "RATE = 3\n", set()),
        ("src/other/__init__.py", "RATE = 3\n", {"show"}),
    ],
)
def test_the_installed_package_is_code_of_a_repository_that_has_none(
    project: Path, name: str, content: str, stages: set[str]
) -> None:
    assert changed(project, name, content) == stages


def test_the_repository_s_own_package_is_what_its_stages_import(project: Path) -> None:
    installed = hashes(project)
    assert changed(project, "src/fuseline/__init__.py", "") == {"buy"}, "it has no prices"
    (project / "src/fuseline/prices.py").write_text("RATE = 2\n")
    assert hashes(project) == installed
    assert changed(project, "../site-packages/fuseline/prices.py", "RATE = 3\n") == set()
