"""Which rows of a window are copies of one story, so that it counts once.

By the signatures that `ingest` finds copies with. A row is compared with the first rows of the
stories so far, in the order of arrival, so that nothing hangs on how many rows come at once.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from fuseline.data.ingest.duplicates.minhash import NUM_HASHES, band_keys, normalise, sign
from fuseline.data.ingest.duplicates.texts import WEAK_SHINGLES
from fuseline.serving.monitor.events import Event

_LOW_BITS = np.uint32(0xFFFF)
# Bands of so many values: of pairs at a similarity of 0.85, 99 in 100 share one.
_WIDTH = 8
_BANDS = NUM_HASHES // _WIDTH


@dataclass(frozen=True, slots=True)
class Print:
    """How a row is known again.

    Attributes:
        names: of its id and its text, whichever it has.
        values: (128,) uint16 of its text's signature; None of texts too short to be nearly equal.
        keys: of its bands.
    """

    names: tuple[str, ...]
    values: np.ndarray | None
    keys: tuple[int, ...]


def prints(events: Sequence[Event], *, near: bool) -> list[Print]:
    """Of N rows at once.

    Args:
        events: the rows.
        near: whether texts that are nearly equal are to be found, too.
    """
    texts = [None if event.text is None else normalise(event.text) for event in events]
    held = [text for text in texts if text is not None] if near else []
    signed = iter(_signed(held)) if held else iter(())
    found = []
    for event, text in zip(events, texts, strict=True):
        names = [_name("id", event.id)] if event.id is not None else []
        values, keys = next(signed) if near and text is not None else (None, ())
        if text is not None:
            names.append(_name("text", text))
        found.append(Print(tuple(names), values, keys))
    return found


def _signed(texts: list[str]) -> list[tuple[np.ndarray | None, tuple[int, ...]]]:
    signatures, shingles = sign(texts)
    low = (signatures & _LOW_BITS).astype(np.uint16)
    keys = _keys(low).tolist()
    return [
        (None, ()) if few < WEAK_SHINGLES else (values, tuple(some))
        for values, some, few in zip(low, keys, shingles.tolist(), strict=True)
    ]


def _keys(values: np.ndarray) -> np.ndarray:
    return band_keys(values.astype(np.uint32), _BANDS, _WIDTH)


def _name(kind: str, value: str) -> str:
    content = f"{kind} {value}".encode(errors="surrogatepass")
    return blake2b(content, digest_size=9).hexdigest()


@dataclass
class Stories:
    """Of one topic in one window.

    Attributes:
        count: how many there are.
    """

    count: int = 0
    _names: dict[str, int] = field(default_factory=dict)
    _first: dict[int, int] = field(default_factory=dict)
    _values: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, row: Print, similarity: float) -> tuple[int, bool]:
        """The number of a row's story, and whether it is a new one."""
        number = self._known(row, similarity)
        new = number is None
        if number is None:
            number = self.count
            self.count += 1
            self._file(number, row.values, row.keys)
        for name in row.names:
            self._names.setdefault(name, number)
        return number, new

    def _known(self, row: Print, similarity: float) -> int | None:
        for name in row.names:
            if name in self._names:
                return self._names[name]
        near = {self._first[key] for key in row.keys if key in self._first}
        for number in sorted(near):
            assert row.values is not None  # it has keys
            if np.mean(self._values[number] == row.values) >= similarity:
                return number
        return None

    def _file(self, number: int, values: np.ndarray | None, keys: Sequence[int]) -> None:
        if values is not None:
            self._values[number] = values
            for key in keys:
                self._first.setdefault(key, number)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "count": self.count,
            "names": self._names,
            "values": {
                str(number): base64.b64encode(values.astype("<u2").tobytes()).decode()
                for number, values in self._values.items()
            },
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Stories:
        """As it was."""
        stories = cls(content["count"], dict(content["names"]))
        for number, packed in content["values"].items():
            values = np.frombuffer(base64.b64decode(packed), "<u2").astype(np.uint16)
            stories._file(int(number), values, _keys(values[None])[0].tolist())
        return stories
