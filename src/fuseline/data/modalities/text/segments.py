"""The texts of a row as segments, parted by the encoder's own separator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from fuseline.contracts import TEXT_JOINT

Encode = Callable[[list[str]], list[list[int]]]


def encode_rows(
    texts: Sequence[str | None], encode: Encode, max_length_tokens: int | None = None
) -> list[list[int]]:
    """Token ids of N rows, special ones included: `[CLS] title [SEP] description [SEP]`.

    The separator alone tells segments apart. BERT also numbers them, but RoBERTa does not, and
    encoders of sentences were never shown a second number.

    Args:
        texts: as in the examples table, None where a row has none.
        encode: texts to ids, special ones included; no text is cut.
        max_length_tokens: longer rows are cut in front of their last separator.
    """
    rows = [(text or "").split(TEXT_JOINT) for text in texts]
    encoded = iter(encode(list(itertools.chain.from_iterable(rows))))
    start = _start_tokens(encode) if any(len(row) > 1 for row in rows) else 0
    found = []
    for row in rows:
        first, *further = [next(encoded) for _ in row]
        ids = [*first, *itertools.chain.from_iterable(more[start:] for more in further)]
        found.append(ids if max_length_tokens is None else truncate(ids, max_length_tokens))
    return found


def truncate(ids: list[int], longest: int) -> list[int]:
    """Cut in front of the last special token, so that the separator stays."""
    return ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]


def _start_tokens(encode: Encode) -> int:
    """How many tokens stand before a text: all special ones but the separator at its end."""
    (empty,) = encode([""])
    return max(len(empty) - 1, 0)
