"""Reading `params.yaml`: YAML 1.2, typed sections, errors that name the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fuseline.errors import ConfigError
from fuseline.registry import suggestion

PARAMS_FILE = Path("params.yaml")


class Section(BaseModel):
    """A typed section of `params.yaml`: every key is required, no other is allowed.

    Defaults live in `params.yaml` alone, so a class never carries one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML 1.2 mapping (`1e-5` is a number; `on` and `no` are text).

    Raises:
        ConfigError: the file is missing, is not YAML, or is not a mapping.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: not found. Run from the root of a Fuseline repository."
        ) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: bytes, where: str) -> dict[str, Any]:
    """The mapping that a YAML 1.2 file holds.

    Raises:
        ConfigError: it is not YAML, or not a mapping.
    """
    try:
        content = YAML(typ="safe", pure=True).load(text.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: not readable as YAML 1.2: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: expected a mapping, found {type(content).__name__}.")
    return content


def parse_section(content: dict[str, Any], name: str, kind: type[S], path: Path = PARAMS_FILE) -> S:
    """Validate section `name` of an already read params file.

    Raises:
        ConfigError: listing every wrong key with its full path.
    """
    if name not in content:
        raise ConfigError(
            f"{path}: section '{name}' is missing. Found: {', '.join(sorted(content))}."
        )
    try:
        return kind.model_validate(content[name])
    except ValidationError as error:
        problems = "\n".join(f"  {_describe(problem, name, kind)}" for problem in error.errors())
        raise ConfigError(f"{path}: invalid params\n{problems}") from None


def load_section(name: str, kind: type[S], path: Path = PARAMS_FILE) -> S:
    """Read and validate one section of `params.yaml`."""
    return parse_section(read_yaml(path), name, kind, path)


def _describe(problem: Any, section: str, kind: type[Section]) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join([section, *location])
    if problem["type"] == "extra_forbidden":
        valid = _valid_names(kind, location[:-1])
        return (
            f"{key}: unknown key. Valid keys here: {', '.join(valid)}."
            f"{suggestion(location[-1], valid)}"
        )
    if problem["type"] == "missing":
        return f"{key}: missing key. Every key is required; add it with a value."
    return f"{key}: {problem['msg']}; found {problem['input']!r}."


def _valid_names(kind: type[Section], location: list[str]) -> list[str]:
    """Field names of the section class that `location` leads to."""
    for name in location:
        field = kind.model_fields.get(name)
        nested = (
            [
                candidate
                for candidate in (field.annotation, *get_args(field.annotation))
                if isinstance(candidate, type) and issubclass(candidate, Section)
            ]
            if field
            else []
        )
        if not nested:
            return []
        kind = nested[0]
    return sorted(kind.model_fields)
