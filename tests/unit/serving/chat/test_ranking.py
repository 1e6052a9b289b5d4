"""Rankings by words, and their fusion."""

import logging

import numpy as np
import pytest

from fuseline.serving.chat.ranking import Words, fused, ranks

TEXTS = ["the red fox", "the brown bear", "the red red deer"]


def test_words_that_few_texts_hold_count_more() -> None:
    words = Words(TEXTS)
    scores = words.scores("The FOX is red")
    assert list(np.argsort(-scores)) == [0, 2, 1]
    assert ((scores >= 0) & (scores < 1)).all()
    assert words.scores("unheard of").tolist() == [0.0, 0.0, 0.0]
    # What no text has lowers the share of what could be scored.
    assert (words.scores("fox unheard") < words.scores("fox")).any()


def test_a_score_is_bm25_by_hand() -> None:
    """Of one word once in one of two texts of equal length: idf * 1 / (1 + k1), over that idf."""
    assert Words(["fox one", "bear two"]).scores("fox")[0] == pytest.approx(1 / 2.5, rel=1e-5)


def test_telling_words_are_rare_ones() -> None:
    assert Words(TEXTS).telling("the fox and the red bear") == {"fox", "bear"}


def test_ranks_give_equal_scores_the_first_place_first() -> None:
    assert ranks(np.array([0.1, 0.5, 0.5])).tolist() == [3, 1, 2]


def test_reciprocal_ranks_are_summed_by_their_weights() -> None:
    rankings = [(1.0, np.array([2.0, 1.0])), (2.0, np.array([0.0, 1.0])), (0.0, np.ones(2))]
    assert fused(rankings, 60).tolist() == pytest.approx([1 / 61 + 2 / 62, 1 / 62 + 2 / 61])


def test_an_index_is_built_without_a_word_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Words(["ant", "bee"])
    assert not caplog.records
