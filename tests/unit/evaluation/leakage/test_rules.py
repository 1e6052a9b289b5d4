from __future__ import annotations

import pandas as pd
import pytest

from fuseline.evaluation.leakage.rules import WordRules, learn_word_rules
from fuseline.params.leakage import RuleParams

PARAMS = RuleParams(precision=0.9, min_rows=3, max_share=0.2)


def rows(*pairs: tuple[str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["text", "label"])


TRAIN = rows(*[("brand new sale", "spam")] * 5, *[("lunch at noon", "ham")] * 5,
             *[("new lunch menu", "ham")] * 4, ("a", None))  # fmt: skip


def test_a_word_that_tells_the_label_is_found_with_its_figures():
    test = rows(*[("sale now", "spam")] * 4, *[("lunch", "ham")] * 6)
    found = learn_word_rules(TRAIN, test, PARAMS)
    assert [rule.word for rule in found.suspicious] == ["lunch", "sale"]
    sale = found.suspicious[1]
    assert (sale.label, sale.train_rows, sale.test_rows) == ("spam", 5, 4)
    assert (sale.train_precision, sale.test_precision) == (1.0, 1.0)
    assert (found.num_suspicious, found.share, found.accuracy) == (2, 1.0, 1.0)


def test_two_neighbouring_words_are_a_rule_too():
    test = rows(*[("Brand, NEW", "spam")] * 4)
    words = {rule.word for rule in learn_word_rules(TRAIN, test, PARAMS).suspicious}
    assert words == {"brand", "brand new"}


def test_a_rule_that_does_not_hold_on_test_rows_is_not_suspicious():
    test = rows(*[("sale", "ham")] * 4)
    found = learn_word_rules(TRAIN, test, PARAMS)
    assert (found.suspicious, found.share, found.accuracy) == ([], 0.0, 0.0)


def test_rare_words_are_no_rules():
    test = rows(*[("sale", "spam")] * 2)
    assert learn_word_rules(TRAIN, test, PARAMS).suspicious == []
    assert learn_word_rules(TRAIN, rows(*[("sale", "spam")] * 3), PARAMS).num_suspicious == 1


def test_the_surest_word_of_a_text_decides():
    """`new` is of both labels, `sale` of one; a text without a known word gets the commonest."""
    test = rows(("new sale", "spam"), ("new lunch", "ham"), ("zebra", "ham"), (None, "ham"))
    assert learn_word_rules(TRAIN, test, PARAMS).accuracy == 1.0


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (rows(("a b", "x")), rows(("a b", "x"))),
        (rows(*[(None, "x")] * 9), rows((None, "x"))),
        (rows(*[("word here", None)] * 9), rows(("word here", None))),
        (rows(*[("word here", "x")] * 9), rows(("word here", None))),
    ],
)
def test_too_little_gives_no_rules(train, test):
    assert learn_word_rules(train, test, PARAMS).suspicious == []


def test_a_label_of_test_rows_alone_counts_as_wrong():
    found = learn_word_rules(TRAIN, rows(*[("sale", "new label")] * 5), PARAMS)
    assert found == WordRules(0.0, [], 0, 0.0)
