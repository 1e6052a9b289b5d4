"""Whether a record speaks of what is there, and what of two environments is not the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_NAMES = ("python", "system", "architecture", "processor", "precision")


def speaks_of(recorded: Mapping[str, str], read: Callable[[str], bytes | None]) -> bool:
    """Whether the files that `read` returns have the hashes that a record names.

    Args:
        recorded: path to the first digits of its SHA-256.
        read: path to content, None where there is no such file; such a path is passed over.
    """
    files = ((sha256, read(path)) for path, sha256 in recorded.items())
    return all(
        file is None or hashlib.sha256(file).hexdigest().startswith(sha256)
        for sha256, file in files
    )


def unlike(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Sentences on two environments (`fuseline.pipeline.environment`), what weighs most first."""
    return [*_facts(there, here), *_features(there, here), *_versions(there, here)]


def _facts(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    for name in reversed(_NAMES):
        was, value = there.get(name), here.get(name)
        if was != value:
            yield f"{name}: {was or 'not known'} -> {value or 'not known'}"
    for name, was, value in _pairs(there.get("settings", {}), here.get("settings", {})):
        yield f"variable {name}: {was or 'not set'} -> {value or 'not set'}"


def _features(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    was, found = set(there.get("features", [])), set(here.get("features", []))
    if was - found:
        yield f"instruction sets not here: {' '.join(sorted(was - found))}"
    if found - was:
        yield f"instruction sets only here: {' '.join(sorted(found - was))}"


def _versions(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    for name, was, value in _pairs(there.get("packages", {}), here.get("packages", {})):
        yield f"package {name}: {was or 'none'} -> {value or 'none'}"


def _pairs(
    there: Mapping[str, str], here: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Names whose values are not the same, with both."""
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            yield name, there.get(name), here.get(name)
