"""MinHash of character shingles (Broder 1997), for a block of texts at once."""

from __future__ import annotations

import hashlib

import numpy as np

SHINGLE_CHARACTERS = 5
NUM_HASHES = 128

# Texts are hashed together up to about this many characters.
_BLOCK_CHARACTERS = 2**19
_PAD = "\0"


def _constants(name: str, count: int) -> np.ndarray:
    """Odd 64-bit numbers, the same on every machine."""
    digest = hashlib.shake_128(name.encode()).digest(8 * count)
    return np.frombuffer(digest, "<u8").astype(np.uint64) | np.uint64(1)


_CHARACTER_FACTORS = _constants("character", SHINGLE_CHARACTERS)
_MASKS = (_constants("mask", NUM_HASHES) >> np.uint64(32)).astype(np.uint32)
_FACTORS = (_constants("factor", NUM_HASHES) >> np.uint64(16)).astype(np.uint32) | np.uint32(1)
_MIX = _constants("mix", 2)


def normalise(text: str) -> str:
    """The text as it is compared: case-folded, every run of whitespace one space."""
    return " ".join(text.casefold().split())


def sign(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Signatures of normalised texts, and how many distinct shingles each has.

    The share of equal values of two signatures estimates the Jaccard similarity of the two sets
    of shingles, with a standard error of at most 0.045. A text shorter than a shingle is one.

    Returns:
        (N, 128) uint32 and (N,) int64.
    """
    signatures = np.empty((len(texts), NUM_HASHES), np.uint32)
    counts = np.empty(len(texts), np.int64)
    start = characters = 0
    for position, text in enumerate(texts):
        characters += len(text)
        if characters >= _BLOCK_CHARACTERS or position == len(texts) - 1:
            part = slice(start, position + 1)
            signatures[part], counts[part] = _sign_block(texts[part])
            start, characters = position + 1, 0
    return signatures, counts


def band_keys(signatures: np.ndarray, num_bands: int, band_rows: int) -> np.ndarray:
    """Keys under which texts are filed: equal where a band of `band_rows` values is.

    Returns:
        (N, num_bands) uint64; two bands hardly ever share a key.
    """
    used = signatures[:, : num_bands * band_rows].astype(np.uint64)
    factors = _constants("band", num_bands * band_rows)
    keys = (used * factors).reshape(-1, num_bands, band_rows).sum(axis=2, dtype=np.uint64)
    return _mixed(keys + _constants("band offset", num_bands))


def _sign_block(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    shingles, counts = _distinct_shingles(texts)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    signatures = np.empty((NUM_HASHES, len(texts)), np.uint32)
    hashed = np.empty_like(shingles)
    for index in range(NUM_HASHES):
        np.bitwise_xor(shingles, _MASKS[index], out=hashed)
        np.multiply(hashed, _FACTORS[index], out=hashed)
        signatures[index] = np.minimum.reduceat(hashed, starts)
    return signatures.T, counts


def _distinct_shingles(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """32-bit hashes of each text's distinct shingles, text after text, and their numbers."""
    padded = [text.ljust(SHINGLE_CHARACTERS, _PAD) for text in texts]
    lengths = np.array([len(text) for text in padded])
    joined = "".join(padded).encode("utf-32-le", errors="surrogatepass")
    points = np.frombuffer(joined, "<u4").astype(np.uint64)
    windows = len(points) - SHINGLE_CHARACTERS + 1
    hashes = np.zeros(windows, np.uint64)
    for place, factor in enumerate(_CHARACTER_FACTORS):
        hashes += points[place : place + windows] * factor
    owners = np.repeat(np.arange(len(padded), dtype=np.uint64), lengths)[:windows]
    last = np.cumsum(lengths) - SHINGLE_CHARACTERS
    whole = np.arange(windows) <= np.repeat(last, lengths)[:windows]
    tagged = (owners[whole] << np.uint64(32)) | (_mixed(hashes[whole]) >> np.uint64(32))
    tagged.sort()
    tagged = tagged[np.concatenate([[True], tagged[1:] != tagged[:-1]])]
    counts = np.bincount((tagged >> np.uint64(32)).astype(np.int64), minlength=len(texts))
    return (tagged & np.uint64(2**32 - 1)).astype(np.uint32), counts


def _mixed(values: np.ndarray) -> np.ndarray:
    """Spread every bit over all of the word."""
    for factor in _MIX:
        values = (values ^ (values >> np.uint64(32))) * factor
    mixed: np.ndarray = values ^ (values >> np.uint64(32))
    return mixed
