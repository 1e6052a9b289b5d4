"""Steps, rates and batches of what is trained as a whole."""

import numpy as np
import pytest

from fuseline.learning.prompting.fitting import _batches, _course, num_steps
from tests.support.prompt_material import params

TRAINING = params(training__num_steps=8, training__batch_size=4).training


@pytest.mark.parametrize(("rows", "expected"), [(1, 8), (32, 8), (33, 8), (100, 25)])
def test_many_rows_take_one_pass(rows, expected):
    assert num_steps(rows, TRAINING) == expected


def test_one_pass_sees_every_row_and_none_twice():
    rows = np.arange(100, 200)
    batches = list(_batches(rows, num_steps(len(rows), TRAINING), 4, 0))
    assert np.array_equal(np.sort(np.concatenate(batches)), rows)


def test_few_rows_come_again_in_another_order():
    first, second = _batches(np.arange(6), 2, 16, 3)
    assert set(first) == set(second) == set(range(6))
    assert not np.array_equal(first, second)


def test_the_rate_rises_to_one_and_falls_to_nearly_nothing():
    factors = [_course(20, 0.1)(step) for step in range(20)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert (np.diff(factors[2:]) < 0).all()
    assert 0 < factors[-1] < 0.02
