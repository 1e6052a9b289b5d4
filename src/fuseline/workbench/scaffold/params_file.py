"""Setting values in `params.yaml` and leaving all else as it stands, comments included.

The file is edited as YAML, whatever the style of its lists, and read again before it counts.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.tokens import CommentToken

from fuseline.config import parse_yaml, read_yaml
from fuseline.contracts.durable import put, write_text
from fuseline.errors import ConfigError
from fuseline.params.whole import check, set_keys

# Where ruamel keeps what stands behind a key: the rest of its line, and what precedes a block.
_BEHIND, _BEFORE_BLOCK = 2, 3


class _Representer(RoundTripRepresenter):
    """Writes null as `null`, as the file does, and not as nothing."""


def _null(representer: RoundTripRepresenter, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _null)


def read_params(path: Path) -> dict[str, Any]:
    """The file's content, right or wrong.

    Raises:
        ConfigError: it is missing, or not readable.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path}: not found. Run from the root of a Fuseline repository, or name it with"
            " --directory."
        )
    return read_yaml(path)


def with_values(
    path: Path, before: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]
) -> str:
    """The file's text with other values.

    Args:
        path: `params.yaml`.
        before: its content.
        make: gives them by dotted key, or raises KeyError or TypeError where the content lacks
            what it looks for.

    Raises:
        ConfigError: the file would be wrong, by itself or as it was written.
    """
    expected = deepcopy(dict(before))
    try:
        values = make()
        set_keys(expected, values)
    except (KeyError, TypeError) as error:
        raise _wrong_before(path, f"{error.args[0]}: missing key, or of another form.") from None
    text = _edited(path.read_text(encoding="utf-8"), values)
    content = parse_yaml(text.encode(), str(path))
    if content != expected:
        raise ConfigError(
            f"{path}: cannot be edited as it is written; nothing was changed. Put the keys"
            f" {', '.join(values)} on lines of their own, without comments between their entries,"
            " and run this again."
        )
    try:
        check(content)
    except ConfigError as error:
        if _problems(before):
            raise _wrong_before(path, str(error)) from None
        raise ConfigError(
            f"{error}\nSo {path} would be wrong, and nothing was changed. Change"
            " what is named, then run this again."
        ) from None
    return text


def _wrong_before(path: Path, problem: str) -> ConfigError:
    return ConfigError(
        f"{problem}\n{path} was wrong before any change, and nothing was changed; mend it first."
    )


def _problems(content: Mapping[str, Any]) -> str | None:
    try:
        check(dict(content))
    except ConfigError as error:
        return str(error)
    return None


def replace_params(path: Path, text: str) -> Path | None:
    """Replace the file's text, whole or not at all; return where the old file is kept.

    None where nothing changes. A file that was kept before is never written over.
    """
    if path.read_text(encoding="utf-8") == text:
        return None
    number = 1
    while (kept := path.with_name(f"{path.name}.bak{number if number > 1 else ''}")).exists():
        number += 1
    copy = kept.with_name(kept.name + ".partial")
    copy.write_bytes(path.read_bytes())
    put(copy, kept)
    write_text(path, text)
    return kept


def _edited(text: str, values: Mapping[str, Any]) -> str:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    # A line is as long as it is: none is folded.
    yaml.width = 10_000
    # As the shipped file's lists are.
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(text)
    for key in values:
        _settle(content, key)
    set_keys(content, {key: _in_one_line(value) for key, value in values.items()})
    file = io.StringIO()
    yaml.dump(content, file)
    return file.getvalue()


def _settle(content: Any, key: str) -> None:
    """Make a key's comments those of a value on its own line, whatever stands there now.

    What follows a block (a comment on the next key, an empty line) hangs on the block's last
    entry, and would go with it.
    """
    *sections, last = key.split(".")
    mapping = content
    for section in sections:
        mapping = mapping[section]
    below = _tail(mapping[last])
    slots = mapping.ca.items.setdefault(last, [None, None, None, None])
    behind = slots[_BEHIND]
    # ruamel keeps the comment of a block's key here, too.
    slots[_BEFORE_BLOCK] = None
    if below:
        line = behind.value.partition("\n")[0] if behind else ""
        slots[_BEHIND] = CommentToken(f"{line}\n{below}", _mark(behind))


def _mark(token: Any) -> Any:
    """Where a comment begins, kept so that comments stay in their column."""
    return token.start_mark if token else CommentMark(0)


def _tail(value: Any) -> str:
    """The lines that follow a block and hang on its last entry."""
    if not isinstance(value, CommentedMap | CommentedSeq) or not value or value.fa.flow_style():
        return ""
    last = next(reversed(value)) if isinstance(value, CommentedMap) else len(value) - 1
    inner = _tail(value[last])
    slots = value.ca.items.get(last) or []
    tokens = [token for token in slots if isinstance(token, CommentToken)]
    return inner or "".join(token.value.partition("\n")[2] for token in tokens)


def _in_one_line(value: Any) -> Any:
    """A list or mapping in brackets, all the way down."""
    if isinstance(value, list):
        flow: Any = CommentedSeq(map(_in_one_line, value))
    elif isinstance(value, dict):
        flow = CommentedMap((key, _in_one_line(entry)) for key, entry in value.items())
    else:
        return value
    flow.fa.set_flow_style()
    return flow
