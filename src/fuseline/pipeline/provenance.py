"""One hash per stage over all code that can change what the stage writes.

DVC follows files, not imports. So each stage's hash covers the syntax trees of its script and of
every module in its import closure, plus the data files that lie beside those modules. Comments,
docstrings and formatting are no part of a syntax tree that is hashed here, so they re-run nothing.

Where the repository holds no package `fuseline`, its stages import the installed one. That is then
hashed, its modules under the same names, so that it does not matter where it is installed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fuseline.errors import ContractError

# The package that this module belongs to.
INSTALLED = Path(__file__).parents[1]
_TYPES_ONLY = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def stage_hashes(sources: Path, stages: Path) -> dict[str, str]:
    """SHA-256 of every stage's code.

    Args:
        sources: folder that the repository's own packages lie in, such as `src`; it may be missing.
        stages: package folder with one script per stage.

    Returns:
        Stage name to hash; the stage that writes these hashes (`code`) has none.

    Raises:
        ContractError: a file that a stage imports is not valid Python.
    """
    tree = SourceTree.of(sources, stages)
    names = sorted(path.stem for path in stages.glob("[!_]*.py"))
    return {name: tree.hash_closure(f"{stages.name}.{name}") for name in names if name != "code"}


@dataclass(frozen=True)
class ModuleCode:
    """What one module contributes: the modules of ours that it names, and a hash of its code."""

    imports: list[str]
    sha256: str


@dataclass(frozen=True)
class SourceTree:
    """The modules of a repository: dotted name to file (a package's is its `__init__.py`)."""

    modules: dict[str, Path]
    _read: dict[str, ModuleCode] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, sources: Path, stages: Path) -> SourceTree:
        """Index every module below `sources`, those of the package `stages`, and those of the
        installed package where `sources` has none of its name: what a stage's imports find."""
        files = [(path, path.relative_to(sources)) for path in sources.rglob("*.py")]
        files += [(path, path.relative_to(stages.parent)) for path in stages.rglob("*.py")]
        if not (sources / INSTALLED.name).is_dir():
            installed = INSTALLED.rglob("*.py")
            files += [(path, path.relative_to(INSTALLED.parent)) for path in installed]
        return cls({_module_name(relative): path for path, relative in files})

    def closure(self, module: str) -> set[str]:
        """All modules that importing and running `module` can load, itself included."""
        seen: set[str] = set()
        waiting = [module]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += self._known(_prefixes(name))
                waiting += self._code(name).imports
        return seen

    def data_files(self, closure: set[str]) -> list[Path]:
        """Files other than Python that modules of a closure may read, in order.

        A file belongs to the module that bears its name (`report.html.j2` to `report.py`), or
        else to its package.
        """
        found: list[Path] = []
        for name in closure:
            path = self.modules[name]
            if path.name == "__init__.py":
                found += [file for file in _data_below(path.parent) if not _owner(file).exists()]
            else:
                found += [file for file in path.parent.glob(f"{path.stem}.*") if file != path]
        return sorted(found)

    def hash_closure(self, module: str) -> str:
        """SHA-256 over the names and contents of a module's closure and its data files."""
        closure = self.closure(module)
        digest = hashlib.sha256()
        for name in sorted(closure):
            digest.update(f"{name}\n{self._code(name).sha256}\n".encode())
        for file in self.data_files(closure):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.name}\n{content}\n".encode())
        return digest.hexdigest()

    def _code(self, name: str) -> ModuleCode:
        """Read a module, once however many stages import it."""
        if name not in self._read:
            parsed = _parse(self.modules[name])
            imports = sorted(set(self._imports(name, parsed.imports)))
            self._read[name] = ModuleCode(imports, parsed.sha256)
        return self._read[name]

    def _imports(self, name: str, statements: Sequence[_Import]) -> Iterator[str]:
        """Our own modules that a module names in its imports, those within functions included."""
        is_package = self.modules[name].name == "__init__.py"
        for statement in statements:
            base = _absolute(statement, name, is_package)
            yield from self._known(_prefixes(base))
            yield from self._known([f"{base}.{imported}" for imported in statement.names])

    def _known(self, names: list[str]) -> list[str]:
        return [name for name in names if name in self.modules]


class _Import(NamedTuple):
    """An import statement: dots in front, the module, and what is taken from it."""

    level: int
    module: str
    names: tuple[str, ...]


class _Parsed(NamedTuple):
    """What a module's text says, wherever it lies."""

    imports: tuple[_Import, ...]
    sha256: str


def _parse(path: Path) -> _Parsed:
    try:
        return _parsed(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ContractError(
            f"{path}{line}: expected valid Python, found: {error.args[0]}."
            " Mend the file, then run `dvc repro` again."
        ) from None


# Every extraction of features asks for its code anew, and of many texts none is another by then.
@cache
def _parsed(content: bytes) -> _Parsed:
    tree = ast.parse(content)
    imports = tuple(_imports_of(tree))
    dump = _dump(_without_docstrings(tree))
    return _Parsed(imports, hashlib.sha256(dump.encode()).hexdigest())


def _imports_of(tree: ast.Module) -> Iterator[_Import]:
    for node in _walk_at_run_time(tree):
        if isinstance(node, ast.Import):
            yield from (_Import(0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield _Import(node.level, node.module or "", names)


def _module_name(relative: Path) -> str:
    parts = relative.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _prefixes(name: str) -> list[str]:
    """A dotted name and all its parents: `a`, `a.b`, `a.b.c`."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _absolute(statement: _Import, name: str, is_package: bool) -> str:
    """The absolute name of the module that an import reads."""
    if statement.level == 0:
        return statement.module
    parents = name.split(".") if is_package else name.split(".")[:-1]
    parents = parents[: len(parents) - (statement.level - 1)]
    return ".".join([*parents, statement.module] if statement.module else parents)


def _walk_at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING:`, which never run."""
    yield node
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) in _TYPES_ONLY:
        children = iter(node.orelse)
    for child in children:
        yield from _walk_at_run_time(child)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree


def _dump(node: object) -> str:
    """A syntax tree as text, without positions and empty fields.

    `ast.dump` would do, but what it prints for empty fields differs between Python versions.
    """
    if isinstance(node, ast.AST):
        fields = [
            f"{name}={_dump(value)}"
            for name, value in ast.iter_fields(node)
            if name == "value" or value not in (None, [])
        ]
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    return ascii(node)


def _data_below(folder: Path) -> Iterator[Path]:
    """Files other than Python in a package's folder, subfolders without `__init__.py` included."""
    for path in folder.iterdir():
        if path.name.startswith((".", "__pycache__")):
            continue
        if path.is_dir() and not (path / "__init__.py").exists():
            yield from _data_below(path)
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path


def _owner(file: Path) -> Path:
    """The module that a data file would belong to by its name."""
    return file.with_name(file.name.split(".")[0] + ".py")
