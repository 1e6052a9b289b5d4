"""Texts nearly equal are found, whatever else there is; datasketch is asked for its opinion."""

from __future__ import annotations

import random

import numpy as np
import pytest
from datasketch import MinHash

from fuseline.data.ingest.duplicates import minhash
from fuseline.data.ingest.duplicates.minhash import SHINGLE_CHARACTERS, normalise, sign
from fuseline.data.ingest.duplicates.storage import SortedRuns
from fuseline.data.ingest.duplicates.texts import TextIndex

WORDS = [
    "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz", k=2 + seed % 8))
    for seed in range(400)
]


def sentence(seed: int, words: int = 16) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def shingles(text: str) -> set[str]:
    return {
        text[start : start + SHINGLE_CHARACTERS]
        for start in range(len(text) - SHINGLE_CHARACTERS + 1)
    }


def jaccard(first: str, second: str) -> float:
    one, other = shingles(first), shingles(second)
    return len(one & other) / len(one | other)


def variants(text: str) -> list[str]:
    """The text with ever more of it changed."""
    words = text.split()
    return [" ".join(words[:keep] + list(reversed(words[keep:]))) for keep in range(2, 16, 2)]


def test_signatures_estimate_jaccard_as_datasketch_does() -> None:
    ours, theirs = [], []
    for seed in range(40):
        text = sentence(seed)
        texts = [text, *variants(text)]
        signatures, counts = sign(texts)
        assert counts.tolist() == [len(shingles(each)) for each in texts]
        first = MinHash(num_perm=128)
        first.update_batch([shingle.encode() for shingle in sorted(shingles(text))])
        for position, other in enumerate(texts[1:], 1):
            second = MinHash(num_perm=128)
            second.update_batch([shingle.encode() for shingle in sorted(shingles(other))])
            true = jaccard(text, other)
            ours.append(float((signatures[0] == signatures[position]).mean()) - true)
            theirs.append(first.jaccard(second) - true)
    assert abs(np.mean(ours)) < 0.02
    assert np.std(ours) < 1.2 * np.std(theirs)


def test_signature_hangs_on_its_own_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [sentence(seed, 1 + seed % 20) for seed in range(50)] + ["", "a", "é", "🙂🙃"]
    together = sign(texts)
    monkeypatch.setattr(minhash, "_BLOCK_CHARACTERS", 100)
    apart = sign(texts)
    alone = np.concatenate([sign([text])[0] for text in texts])
    assert (together[0] == apart[0]).all()
    assert (together[0] == alone).all()
    assert (together[1] == apart[1]).all()


def test_known_signature() -> None:
    """Written down, so that a change of the hashes cannot pass unseen."""
    assert sign(["the quick brown fox"])[0][0, :3].tolist() == [313601351, 76418490, 449873615]


def test_case_and_whitespace_do_not_count() -> None:
    assert normalise(" Straße \n\tAB") == "strasse ab"
    matches = TextIndex(0.85).add(["Hello  World", "hello world", None, "other"])
    assert matches.values == [0, 0, -1, 1]


def test_near_texts_are_found_among_many() -> None:
    index = TextIndex(0.85)
    originals = [sentence(seed) for seed in range(3000)]
    for start in range(0, 3000, 500):
        assert index.add(originals[start : start + 500]).near == {}
    copies = [f"{originals[seed]} {WORDS[seed % 400]}" for seed in range(0, 3000, 30)]
    near = index.add(copies).near
    wanted = {
        3000 + place: 30 * place
        for place, copy in enumerate(copies)
        if jaccard(originals[30 * place], copy) >= 0.9
    }
    assert len(wanted) > 80
    found = sum(original in near.get(copy, []) for copy, original in wanted.items())
    assert found / len(wanted) > 0.97
    # What is found is alike: an estimate errs by a few hundredths.
    for copy, others in near.items():
        for other in others:
            if other < 3000:
                assert jaccard(originals[other], copies[copy - 3000]) > 0.7


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.95])
def test_threshold_is_met(similarity: float) -> None:
    pairs = [(sentence(seed), other) for seed in range(60) for other in variants(sentence(seed))]
    index = TextIndex(similarity)
    found = missed = wrong = 0
    for first, second in pairs:
        index = TextIndex(similarity)
        near = bool(index.add([first, second]).near)
        true = jaccard(first, second)
        found += near and true > similarity + 0.1
        missed += not near and true > similarity + 0.1
        wrong += near and true < similarity - 0.15
    assert missed <= found / 50
    assert wrong == 0


def test_similarity_of_one_finds_equal_texts_only() -> None:
    text = sentence(1, 400)
    matches = TextIndex(1.0).add([text, text + " a", text])
    assert (matches.values, matches.near) == ([0, 1, 0], {})


def test_short_and_repetitive_texts_are_weak() -> None:
    texts = ["good morning to you", "ha " * 40, "a text that is long enough to tell"]
    assert TextIndex(0.85).add(texts).weak == {0, 1}


def test_what_is_found_is_the_same_in_any_blocks() -> None:
    """Of a crowd of likes only the earliest are found; never does a later row matter."""
    base = [sentence(seed, 14) for seed in range(4)]
    rng = random.Random(0)
    texts = []
    for _ in range(400):
        words = rng.choice(base).split()
        words[rng.randrange(len(words))] = rng.choice(WORDS)
        texts.append(" ".join(words))
    found = []
    for size in (5, 64, 400):
        index, pairs = TextIndex(0.7), set()
        for start in range(0, len(texts), size):
            matches = index.add(texts[start : start + size])
            pairs |= {(v, other) for v, others in matches.near.items() for other in others}
        found.append({(value, other) for value, other in pairs if other < value})
    assert len(found[0]) > 400
    assert all(each == found[0] for each in found)


def test_runs_hold_what_a_dictionary_does() -> None:
    rng = np.random.default_rng(0)
    runs, known = SortedRuns(), {}
    ordinal = 0
    for size in rng.integers(0, 40, 60):
        keys = rng.integers(0, 50, size).astype(np.uint64)
        ordinals = np.arange(ordinal, ordinal + size, dtype=np.uint32)
        ordinal += int(size)
        runs.add(keys, ordinals)
        for key, value in zip(keys.tolist(), ordinals.tolist(), strict=True):
            known.setdefault(key, []).append(value)
    queries = np.array([3, 49, 60, 3, 0], np.uint64)
    positions, ordinals = runs.find(queries, 5)
    for place, key in enumerate(queries.tolist()):
        assert sorted(ordinals[positions == place].tolist()) == known.get(key, [])[:5]
