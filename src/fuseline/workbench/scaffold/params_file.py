"""Setting a source in `params.yaml` and leaving all else as it stands, comments included."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

from fuseline.config import read_yaml
from fuseline.errors import ConfigError
from fuseline.params.whole import check
from fuseline.workbench.scaffold.proposal import Proposal


class _Representer(RoundTripRepresenter):
    """Writes null as `null`, as the file does, and not as nothing."""


def _null(representer: RoundTripRepresenter, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _null)


def check_params(path: Path) -> None:
    """Check the file before it is changed.

    Raises:
        ConfigError: it is missing, or wrong already.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path}: not found. Run from the root of a Fuseline repository, or name it with"
            " --directory."
        )
    problems = found_problems(path)
    if problems:
        raise ConfigError(f"{problems}\n{path} was wrong before any change; mend it first.")


def with_source(path: Path, proposal: Proposal, place: str) -> str:
    """The file's text with `ingest.source`, that source's section and `base.modalities` set.

    Args:
        path: `params.yaml`.
        proposal: the source.
        place: where its file or folder lies, relative to the repository.
    """
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    # A line is as long as it is: none is folded.
    yaml.width = 10_000
    # As the shipped file's lists are.
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(path.read_text(encoding="utf-8"))
    _set(content["base"], "modalities", list(proposal.modalities))
    content["ingest"]["source"] = proposal.source
    section = content["ingest"][proposal.source]
    section["path"] = place
    for key, value in proposal.settings.items():
        section[key] = value
    for field, column in (proposal.columns or {}).items():
        _set(section["columns"], field, column)
    file = io.StringIO()
    yaml.dump(content, file)
    return file.getvalue()


def write_whole(path: Path, text: str) -> None:
    """Replace the file's text, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _set(section: Any, key: str, value: Any) -> None:
    if isinstance(value, list | dict):
        value = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
        value.fa.set_flow_style()
    section[key] = value


def found_problems(path: Path) -> str | None:
    """What is wrong with the file, if anything."""
    try:
        check(read_yaml(path))
    except ConfigError as error:
        return str(error)
    return None
