"""Runs that end within a part, and runs that tell which parts they made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuseline.pipeline.parts import Parts


class KilledError(Exception):
    """The run ended here."""


def watched(monkeypatch: pytest.MonkeyPatch, kill_in: str | None = None) -> list[str]:
    """Names of the parts that the next run makes, filled as it makes them; those that it finds are
    not among them. The run ends when `kill_in` was made and is not kept yet."""
    made: list[str] = []
    content = Parts._content

    def watch(self: Parts, name: str, make: Callable[[], bytes]) -> bytes:
        def counted() -> bytes:
            made.append(name)
            found = make()
            if name == kill_in:
                raise KilledError
            return found

        return content(self, name, counted)

    monkeypatch.setattr(Parts, "_content", watch)
    return made


def made_by(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[], object], kill_in: str | None = None
) -> list[str]:
    """Names of the parts that one run made."""
    with monkeypatch.context() as patch:
        made = watched(patch, kill_in)
        if kill_in is None:
            run()
        else:
            with pytest.raises(KilledError):
                run()
    return made


def check_resuming(
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[[str], object],
    result: Callable[[str], object],
) -> list[str]:
    """Hold runs that were killed within each part, one after the other, to one that was not.

    Args:
        run: takes a name of its own, under which it keeps its work and its outputs.
        result: of the run of a name, once it ended; compared by `==`.

    Returns:
        The names of all parts, in order.
    """
    parts = made_by(monkeypatch, lambda: run("whole"))
    expected = result("whole")
    for place, part in enumerate(parts):
        killed = made_by(monkeypatch, lambda part=part: run(part), kill_in=part)
        assert killed == parts[: place + 1]
        # What was finished is not made again, and the rest is.
        assert made_by(monkeypatch, lambda part=part: run(part)) == parts[place:]
        assert result(part) == expected
    return parts
