"""Documents, docstrings and comments name what is there: files, modules, pages, headings."""

from __future__ import annotations

import ast
import io
import pkgutil
import re
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.repository import REPOSITORY

PAGES = sorted(
    [
        *(REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"),
        *REPOSITORY.glob("docs/**/*.md"),
        *REPOSITORY.glob("recipes/**/*.md"),
        *REPOSITORY.glob("src/**/*.md"),
    ]
)
TOPS = ("src", "stages", "tests", "benchmarks")
MODULES = sorted(path for top in TOPS for path in REPOSITORY.glob(f"{top}/**/*.py"))
PACKAGE = REPOSITORY / "src" / "fuseline"

# What is there only once something has run or been set up.
MADE_LATER = (
    ".dvc/cache/",
    ".dvc/config.local/",
    ".dvc/plots.html/",
    ".tune/",
    "data/incoming/",
    "data/raw/",
    "dvc_plots/",
    "models/",
    "monitor/",
    "pipeline-report/",
)
# Files that stages write into their output folders, commands leave behind, or users have.
IN_OUTPUTS = {
    "config.json",
    "contract.json",
    "encoder.json",
    "manifest.json",
    "recommender.json",
    "reliability.csv",
    "selective.csv",
    "tokenizer.json",
}
LEFT_BEHIND = {"answers.csv", "results.patch", "state.json", "summary.svg", "trials.csv"}
OF_USERS = {
    "../../../escaped.txt",
    "0-test.csv",
    "1-train.csv",
    "history.json",
    "messages.csv",
    "movies.csv",
    "all-data.csv",
    "news.csv",
    "other.yaml",
    "ratings.csv",
    "raw/rows.csv",
    "rows.csv",
    "rows-10.csv",
    "rows-9.csv",
    "sentences.txt",
    "test.csv",
    "train.csv",
}
# Packages whose names look like files.
PACKAGES = {"ruamel.yaml"}
ELSEWHERE = IN_OUTPUTS | LEFT_BEHIND | OF_USERS | PACKAGES

ENDINGS = "py|md|j2|yaml|yml|json|toml|txt|csv|svg|html|patch|lock"
# A path is a name with one of these endings, or one that begins in a folder of the repository.
FILE = re.compile(rf"(?<![\w/.~<*-])[\w.~/<>*-]*\w\.(?:{ENDINGS})(?![\w/*(-])")
FOLDERS = "src|stages|tests|docs|benchmarks|metrics|reports|models|data|\\.ci|\\.github|\\.dvc"
BELOW = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./<>*-]*")

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
MODULE = re.compile(r"\bfuseline(?:\.\w+)+")
PLACED = re.compile(r"`([\w.]+)` (?:in|of) `([\w/]+/\w+\.py)`")


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=named)
every_module = pytest.mark.parametrize("module", MODULES, ids=named)


@cache
def outputs() -> set[str]:
    """What the stages of `dvc.yaml` write, matrix cells as `*`."""
    stages = YAML(typ="safe").load(REPOSITORY / "dvc.yaml")["stages"]
    declared = [
        next(iter(item)) if isinstance(item, dict) else item
        for stage in stages.values()
        for key in ("outs", "metrics", "plots")
        for item in stage.get(key, [])
    ]
    return {re.sub(r"\$\{[^}]*\}", "*", path) for path in declared}


def is_written(path: str) -> bool:
    """Whether it is an output, lies in one, or is a folder of them."""
    parts = path.rstrip("/").split("/")
    return f"{path}/".startswith(MADE_LATER) or any(
        all(one == other or "*" in one + other for one, other in zip(parts, made, strict=False))
        for made in (made.split("/") for made in outputs())
    )


@cache
def names() -> set[str]:
    """Names of all files of the repository."""
    folders = [
        REPOSITORY / top
        for top in (*TOPS, "docs", "metrics", "recipes", ".ci", ".github", ".dvc/plots")
    ]
    below = [
        path for folder in folders for path in folder.rglob("*") if "__pycache__" not in str(path)
    ]
    return {path.name for path in [*REPOSITORY.iterdir(), *below]}


def is_there(path: str, page: Path) -> bool:
    """Whether a path of a text is that of a file: from the root, the package, the text's folder or
    what a recipe lays over a project; a bare name is that of any file. `<placeholders>` and `*`
    stand for any name."""
    pattern = re.sub(r"<[^>]*>", "*", path).rstrip("/")
    if pattern in ELSEWHERE or is_written(pattern):
        return True
    if "/" not in pattern:
        return any(fnmatch(name, pattern) for name in names())
    bases = (REPOSITORY, PACKAGE, page.parent, *REPOSITORY.glob("recipes/*/project"))
    return any(any(base.glob(pattern)) for base in bases)


def paths_in(text: str) -> Iterator[str]:
    for pattern in (FILE, BELOW):
        yield from (match.group().rstrip(".") for match in pattern.finditer(text))


def lost_paths(text: str, page: Path) -> list[str]:
    return sorted({path for path in paths_in(text) if not is_there(path, page)})


def lost_modules(text: str) -> list[str]:
    def resolves(name: str) -> bool:
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            return False
        return True

    return sorted({name for name in MODULE.findall(text) if not resolves(name)})


def misplaced(text: str) -> list[str]:
    """What a text says is in a module and is not defined there."""
    lost = []
    for name, path in PLACED.findall(text):
        sources = [base / path for base in (REPOSITORY, PACKAGE) if (base / path).is_file()]
        last = name.split(".")[-1]
        defined = rf"^\s*(?:def |class )?{last}\b(?=[\s(:=])"
        if sources and not re.search(defined, sources[0].read_text(), re.MULTILINE):
            lost.append(f"{name} in {path}")
    return lost


def slugs(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    text = FENCE.sub("", page.read_text())
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def lost_links(page: Path) -> list[str]:
    lost = []
    for target in LINK.findall(CODE.sub("", FENCE.sub("", page.read_text()))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = page if not path else page.parent / path
        if not found.is_file() or (anchor and anchor not in slugs(found)):
            lost.append(target)
    return lost


def prose(module: Path) -> str:
    """Docstrings and comments of a module."""
    source = module.read_text()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented)
    ]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join([*docstrings, *(t.string for t in tokens if t.type == tokenize.COMMENT)])


@every_page
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    assert lost_paths(LINK.sub("", page.read_text()), page) == []


@every_page
def test_every_module_that_a_page_names_is_there(page: Path) -> None:
    assert lost_modules(page.read_text()) == []


@every_page
def test_what_a_page_places_in_a_module_is_defined_there(page: Path) -> None:
    assert misplaced(page.read_text()) == []


@every_page
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    assert lost_links(page) == []


@every_page
def test_every_page_can_be_reached_from_the_readme(page: Path) -> None:
    seen, waiting = set(), [REPOSITORY / "README.md"]
    while waiting:
        one = waiting.pop().resolve()
        if one in seen or one.suffix != ".md":
            continue
        seen.add(one)
        targets = [target.partition("#")[0] for target in LINK.findall(one.read_text())]
        waiting += [one.parent / path for path in targets if path and "://" not in path]
    assert page.resolve() in seen


@every_module
def test_every_path_that_a_docstring_or_comment_names_is_there(module: Path) -> None:
    text = prose(module)
    assert lost_paths(text, module) + lost_modules(text) == []


def test_the_tree_of_the_readme_is_the_tree() -> None:
    """Every line's first column names entries that are there, and no entry of the package is
    left out."""
    tree = (REPOSITORY / "README.md").read_text().split("## The tree\n")[1].split("```")[1]
    folders, shown = [REPOSITORY], set()
    for line in tree.strip("\n").split("\n"):
        column = line.strip().split("  ")[0]
        depth = (len(line) - len(line.lstrip())) // 2
        entries = [folders[depth] / name for name in column.split()]
        folders[depth + 1 :] = [entries[0]]
        shown |= {path.resolve() for path in entries if not is_written(named(path))}
    assert [named(path) for path in sorted(shown) if not path.exists()] == []
    inside = {path for path in PACKAGE.iterdir() if not path.name.startswith(("_", "."))}
    assert sorted(map(named, inside - shown - {PACKAGE / "py.typed"})) == []


def test_every_exception_is_needed() -> None:
    texts = [page.read_text() for page in PAGES] + [prose(module) for module in MODULES]
    found = {path for text in texts for path in paths_in(text)}
    assert sorted(name for name in ELSEWHERE if name not in found) == []
    later = [start for start in MADE_LATER if not any(f"{p}/".startswith(start) for p in found)]
    assert later == []


@pytest.mark.parametrize(
    "text",
    [
        "see `objectives/base.py`",
        "see `src/fuseline/modalities/folding.py`",
        "see `scores.pyx/none.py` there",
        "read docs/experiments.md for more",
        "the folder `tests/unit/modalities/`",
        "`benchmarks/none.py` measures",
        "`report_none.html.j2` is its template",
        "params in `params/none.py`.",
        "`stages/<name>.md`",
    ],
)
def test_a_path_that_is_not_there_is_noticed(text: str) -> None:
    assert lost_paths(text, REPOSITORY / "README.md")


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("`macro_f1` in `learning/tasks/scores.py`", []),
        ("`Attack.move` in `learning/attacks/base.py`", []),
        ("`TASKS` in `src/fuseline/learning/tasks/__init__.py`", []),
        ("`step_ratios` of `benchmarks/adversarial.py`", []),
        ("`macro_f2` in `learning/tasks/scores.py`", ["macro_f2 in learning/tasks/scores.py"]),
        ("`Attack.move` in `learning/attacks/pgd.py`", ["Attack.move in learning/attacks/pgd.py"]),
    ],
)
def test_what_is_defined_elsewhere_is_noticed(text: str, lost: list[str]) -> None:
    assert misplaced(text) == lost


@pytest.mark.parametrize(
    "text",
    ["`fuseline.evaluation.metrics`", "`fuseline.pipeline.stage.run_stages`", "fuseline.stage"],
)
def test_a_module_that_is_not_there_is_noticed(text: str) -> None:
    assert lost_modules(text)


@pytest.mark.parametrize(
    "text",
    [
        "`learning/objectives/base.py`",
        "`src/fuseline/reporting/figures.py`",
        "`stages/<name>.py`",
        "`metrics/evaluate/<model>.json`",
        "`data/predictions`, `data/features/<modality>`",
        "`dvc.lock`, `metrics/` and `reports/plots/`",
        "`.venv/bin/dvc`",
    ],
)
def test_a_path_that_is_there_is_none_of_them(text: str) -> None:
    assert lost_paths(text, REPOSITORY / "README.md") == []


@pytest.mark.parametrize("link", ["none.md", "README.md#no-such-heading", "#no-such-heading"])
def test_a_link_that_leads_nowhere_is_noticed(link: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# A heading\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n[there]({link}), [here](#page), [beside](README.md#a-heading)\n")
    assert lost_links(page) == [link]
