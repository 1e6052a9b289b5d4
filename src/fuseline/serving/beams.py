"""Greedy and beam search as Transformers' `generate` does them where `early_stopping` is false, so
that a text is the same whatever computes the logits.

Shapes: B rows, K beams, L tokens so far, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Goes on by tokens (B·K, L) int64 from where the given rows of the call before stood, for None from
# the same ones: logits (B·K, V) of the token after them. Beams of one row stand together.
Step = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
# Stands for minus infinity among sums of log-probabilities.
LEAST = np.float32(-1e9)


@dataclass(frozen=True)
class Limits:
    """A text ends with the token `end`, or after `max_length_tokens`; `pad` fills the rest."""

    end: int
    pad: int
    max_length_tokens: int


def greedy(step: Step, start: np.ndarray, limits: Limits) -> np.ndarray:
    """The likeliest token at each place, (B, `max_length_tokens`), after `start` (B, L)."""
    found = np.full((len(start), limits.max_length_tokens), limits.pad, dtype=np.int64)
    done = np.zeros(len(start), dtype=bool)
    new = start
    for place in range(limits.max_length_tokens):
        best = step(new, None).argmax(-1)
        best[done] = limits.pad
        found[:, place] = best
        done |= best == limits.end
        if done.all():
            break
        new = best[:, None]
    return found


def search(
    step: Step, start: np.ndarray, limits: Limits, num_beams: int, length_penalty: float
) -> np.ndarray:
    """The best of what K beams find, as `greedy` gives it. The score of a text is the sum of its
    tokens' log-probabilities over its number of tokens to the power of `length_penalty`.

    A row stops when the best that it could still reach lies below the worst of its K finished
    texts; others go on, and leave it as it is.
    """
    rows, prefix = start.shape
    shape = (rows, num_beams)
    running = np.repeat(start[:, None], num_beams, axis=1)
    # All beams begin alike: only the first may go on, or each row would find one text K times.
    scores = np.full(shape, LEAST)
    scores[:, 0] = 0.0
    best = _Finished.none(shape, prefix + limits.max_length_tokens, limits.pad)
    going = np.ones(rows, dtype=bool)
    new, origin = running, None
    for length in range(1, limits.max_length_tokens + 1):
        logits = step(new.reshape(rows * num_beams, -1), origin)
        sums = scores[..., None] + _log_softmax(logits).reshape(*shape, -1)
        # Of 2K at least K do not end here.
        sums, found = _top(sums.reshape(rows, -1), 2 * num_beams)
        beam, token = np.divmod(found, logits.shape[-1])
        longer = np.concatenate([_taken(running, beam), token[..., None]], axis=2)
        ends = (token == limits.end) | (length == limits.max_length_tokens)
        best = best.joined(longer, sums / np.float32(length**length_penalty), ends, going)
        scores, places = _top(np.where(ends, sums + LEAST, sums), num_beams)
        running = _taken(longer, places)
        going &= (scores[:, :1] / np.float32(length**length_penalty) > best.worst).any(1)
        if not going.any() or ends.all():
            break
        new = running[..., -1:]
        origin = (np.arange(rows)[:, None] * num_beams + _taken(beam, places)).reshape(-1)
    return best.tokens[:, 0, prefix:]


@dataclass(frozen=True)
class _Finished:
    """The K best texts of each row that have ended, best first; fewer at first.

    Attributes:
        tokens: (B, K, longest), filled up.
        scores: (B, K).
        there: (B, K) bool.
        pad: what fills.
    """

    tokens: np.ndarray
    scores: np.ndarray
    there: np.ndarray
    pad: int

    @classmethod
    def none(cls, shape: tuple[int, int], longest: int, pad: int) -> _Finished:
        tokens = np.full((*shape, longest), pad, dtype=np.int64)
        return cls(tokens, np.full(shape, LEAST), np.zeros(shape, dtype=bool), pad)

    @property
    def worst(self) -> np.ndarray:
        """(B, K) the least score of the row, for each text that is there."""
        return np.where(self.there, self.scores.min(1, keepdims=True), LEAST)

    def joined(
        self, tokens: np.ndarray, scores: np.ndarray, ends: np.ndarray, going: np.ndarray
    ) -> _Finished:
        """With those of 2K candidates (B, 2K, L) that end, are among the K best of them, and belong
        to a row that goes on."""
        count = self.scores.shape[1]
        new = ends & (np.arange(ends.shape[1]) < count)
        scores = np.where(new & going[:, None], scores, scores + LEAST)
        missing = self.tokens.shape[2] - tokens.shape[2]
        filled = np.pad(tokens, ((0, 0), (0, 0), (0, missing)), constant_values=self.pad)
        kept, places = _top(np.concatenate([self.scores, scores], axis=1), count)
        return _Finished(
            _taken(np.concatenate([self.tokens, filled], axis=1), places),
            kept,
            _taken(np.concatenate([self.there, new], axis=1), places),
            self.pad,
        )


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float32) - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)), dtype=np.float32)


def _top(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest values of each row, largest first, and their places; of equal ones the first."""
    found = np.argpartition(-values, count - 1, axis=1)[:, :count]
    own = np.take_along_axis(values, found, axis=1)
    order = np.lexsort((found, -own), axis=1)
    return np.take_along_axis(own, order, axis=1), np.take_along_axis(found, order, axis=1)


def _taken(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Entries (B, ...) of the second axis."""
    wide = places.reshape(*places.shape, *[1] * (values.ndim - 2))
    return np.take_along_axis(values, wide, axis=1)
