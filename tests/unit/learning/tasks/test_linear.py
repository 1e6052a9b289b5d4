"""Linear models give logits: of classes, of names, of numbers."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from fuseline.learning.tasks.linear import NEVER, logistic, one_for_each, ridge

RANDOM = np.random.default_rng(5)
INPUTS = RANDOM.normal(size=(90, 4))


@pytest.mark.parametrize("classes", [[0, 1, 2], [0, 2]])
def test_classes_as_the_library_tells_them_apart(classes):
    third = (INPUTS[:, 1] > 0) & (len(classes) > 2)
    labels = np.array(classes)[(INPUTS[:, 0] > 0).astype(int) + third]
    wanted = LogisticRegression(C=0.1, max_iter=1000).fit(INPUTS, labels)
    found = logistic(INPUTS, labels, 0.1, size=4)(INPUTS)
    odds = np.exp(found[:, classes])
    shares = odds / odds.sum(1, keepdims=True)
    assert shares == pytest.approx(wanted.predict_proba(INPUTS), abs=1e-6)
    assert (found[:, 3] == NEVER).all()


def test_balanced_classes_weigh_alike():
    """Of inputs that say nothing, the rare class is as likely as the common one."""
    labels = np.array([0] * 81 + [1] * 9)
    plain, balanced = (
        logistic(np.zeros((90, 1)), labels, 1.0, size=2, balanced=b)(np.zeros((1, 1)))[0]
        for b in (False, True)
    )
    assert plain[1] - plain[0] == pytest.approx(np.log(9 / 81), abs=1e-3)
    assert balanced[1] - balanced[0] == pytest.approx(0.0, abs=1e-3)


def test_names_are_a_yes_or_no_each():
    labels = np.stack([INPUTS[:, 0] > 0, np.ones(90), np.zeros(90)], 1).astype(np.float32)
    found = one_for_each(INPUTS, labels, 1.0)(INPUTS)
    alone = LogisticRegression(C=1.0, max_iter=1000).fit(INPUTS, labels[:, 0])
    assert found[:, 0] == pytest.approx(alone.decision_function(INPUTS), abs=1e-5)
    assert (found[:, 1] == -NEVER).all()
    assert (found[:, 2] == NEVER).all()


def test_numbers_keep_their_digits():
    """Seconds since 1970: float32 knows every 128th of them."""
    labels = 1.7e9 + INPUTS[:, 0]
    found = ridge(INPUTS.astype(np.float32), labels, 100.0)(INPUTS)
    wanted = Ridge(alpha=0.01).fit(INPUTS, labels).predict(INPUTS)
    assert found[:, 0] == pytest.approx(wanted, abs=1e-4)
