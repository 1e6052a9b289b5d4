"""Damage done to files, as disks, networks, other programs and people do it."""

from __future__ import annotations

import random
from collections.abc import Callable

Mutation = Callable[[bytearray, bytes, random.Random], bytearray]

# What a length, a count or an offset is when it is wrong.
_EXTREMES = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"]


def _flip(content: bytearray, _: bytes, rng: random.Random) -> bytearray:
    for _number in range(rng.choice([1, 2, 8])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return content


def _flip_early(content: bytearray, _: bytes, rng: random.Random) -> bytearray:
    """Headers are where decoders believe what they read."""
    for _number in range(rng.choice([1, 2, 4])):
        content[rng.randrange(min(len(content), 256))] = rng.randrange(256)
    return content


def _extreme(content: bytearray, _: bytes, rng: random.Random) -> bytearray:
    start = rng.randrange(min(len(content), rng.choice([64, 512, len(content)])))
    content[start : start + 4] = rng.choice(_EXTREMES)
    return content


def _cut(content: bytearray, _: bytes, rng: random.Random) -> bytearray:
    return content[: rng.randrange(len(content))]


def _cut_start(content: bytearray, _: bytes, rng: random.Random) -> bytearray:
    return content[rng.randrange(1, min(len(content), 64) + 1) :]


def _zero(content: bytearray, _: bytes, rng: random.Random) -> bytearray:
    start, end = _range(content, rng)
    content[start:end] = bytes(end - start)
    return content


def _remove(content: bytearray, _: bytes, rng: random.Random) -> bytearray:
    start, end = _range(content, rng)
    del content[start:end]
    return content


def _repeat(content: bytearray, _: bytes, rng: random.Random) -> bytearray:
    start, end = _range(content, rng)
    content[end:end] = content[start:end] * rng.choice([1, 3, 20])
    return content


def _splice(content: bytearray, other: bytes, rng: random.Random) -> bytearray:
    start, end = _range(content, rng)
    begin = rng.randrange(len(other))
    content[start:end] = other[begin : begin + end - start]
    return content


def _swap_header(content: bytearray, other: bytes, rng: random.Random) -> bytearray:
    size = rng.choice([4, 16, 64])
    content[:size] = other[:size]
    return content


def _append(content: bytearray, other: bytes, rng: random.Random) -> bytearray:
    return content + other[: rng.randrange(len(other))]


MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _flip_early,
    _extreme,
    _cut,
    _cut_start,
    _zero,
    _remove,
    _repeat,
    _splice,
    _swap_header,
    _append,
)


def mutated(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """The content after one to three mutations.

    Args:
        content: what to damage.
        other: another file, from which pieces are taken; not empty.
        rng: decides which, where and how.
    """
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 3])):
        if changed:
            changed = rng.choice(MUTATIONS)(changed, other, rng)
    return bytes(changed)


def _range(content: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content))
    return start, min(len(content), start + rng.choice([1, 4, 16, 64, 512, 4096]))
