"""The chain gives the run lengths that are published, and those that counts have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from fuseline.serving.monitor.baseline import Wanted, charted, fit, scores_of
from fuseline.serving.monitor.run_length import Scores, limit_for, run_length

GRID = np.linspace(-8, 8, 4001)
EDGES = np.concatenate([[-np.inf], (GRID[1:] + GRID[:-1]) / 2, [np.inf]])


def normal(mean: float = 0.0) -> Scores:
    return Scores(GRID, np.diff(norm.cdf(EDGES - mean)))


# Montgomery, Introduction to Statistical Quality Control, table 9.3: a two-sided chart, k = 1/2. In
# control one side runs twice as long; at larger shifts the other side hardly ever alarms.
@pytest.mark.parametrize(
    ("shift", "of_4", "of_5"),
    [
        (0.0, 2 * 168, 2 * 465),
        (0.5, 26.6, 38.0),
        (0.75, 13.3, 17.0),
        (1.0, 8.38, 10.4),
        (1.5, 4.75, 5.75),
        (2.0, 3.34, 4.01),
        (2.5, 2.62, 3.11),
        (3.0, 2.19, 2.57),
        (4.0, 1.71, 2.01),
    ],
)
def test_table_of_average_run_lengths(shift: float, of_4: float, of_5: float) -> None:
    assert run_length(normal(shift), 0.5, 4.0) == pytest.approx(of_4, rel=0.01)
    assert run_length(normal(shift), 0.5, 5.0) == pytest.approx(of_5, rel=0.01)


# The same book, table 9.4, of Hawkins 1993: limits for a two-sided run length of 370.
@pytest.mark.parametrize(
    ("allowance", "limit"),
    [(0.25, 8.01), (0.5, 4.77), (0.75, 3.34), (1.0, 2.52), (1.25, 1.99), (1.5, 1.61)],
)
def test_table_of_limits(allowance: float, limit: float) -> None:
    assert limit_for(normal(), allowance, 2 * 370.0) == pytest.approx(limit, abs=0.012)


@pytest.mark.parametrize("wanted", [1e9, 1e12, 1e15])
def test_runs_longer_than_floats_tell_leave_a_limit_that_alarms(wanted: float) -> None:
    limits = [limit_for(normal(), 1.0, each) for each in (wanted / 1000, wanted)]
    # An asked run 1,000 times longer adds log(1000) / 2k or so (Siegmund).
    assert limits[1] - limits[0] == pytest.approx(np.log(1000) / 2, rel=0.05)
    assert run_length(normal(), 1.0, 100.0) == np.inf or run_length(normal(), 1.0, 100.0) > 1e12


def test_siegmunds_approximation_is_near() -> None:
    """(exp(2 k b) - 2 k b - 1) / (2 k^2) with b = h + 1.166 (Siegmund 1985)."""
    b = 5 + 1.166
    assert run_length(normal(), 0.5, 5.0) == pytest.approx((np.exp(b) - b - 1) / 0.5, rel=0.02)


def test_more_states_change_little() -> None:
    few, many = (run_length(normal(), 0.5, 5.0, states) for states in (100, 400))
    assert few == pytest.approx(many, rel=0.001)


@pytest.mark.parametrize(
    ("rows", "share", "correlation"), [(60, 0.2, 0.0), (8, 0.15, 0.0), (40, 0.25, 0.05)]
)
def test_counts_run_as_long_as_was_asked(rows: int, share: float, correlation: float) -> None:
    draw = np.random.default_rng(1)
    volumes = draw.poisson(rows, 50) + 1
    wanted = Wanted(200.0, 0.15, 0.5)
    chart = charted(volumes, share, share, correlation, wanted)
    streams, windows = 4000, 500
    total, alarms = np.zeros(streams), 0
    for _ in range(windows):
        given = draw.choice(volumes, streams)
        true = np.full(streams, share)
        if correlation:
            size = (1 - correlation) / correlation
            true = draw.beta(share * size, (1 - share) * size, streams)
        found = draw.binomial(given, true)
        spread = np.sqrt(given * share * (1 - share) * (1 + (given - 1) * correlation))
        total = np.maximum(0, total + (found - given * share) / spread - chart.allowance)
        alarms += int((total >= chart.limit).sum())
        total[total >= chart.limit] = 0
    assert streams * windows / alarms == pytest.approx(wanted.run_length, rel=0.05)


def test_scores_have_mean_0_and_variance_1_at_any_volume() -> None:
    for rows in (1, 7, 300):
        scores = scores_of(rows, 0.2, 0.2, 0.05)
        mean = (scores.values * scores.probabilities).sum()
        assert mean == pytest.approx(0.0, abs=1e-9)
        assert (scores.values**2 * scores.probabilities).sum() == pytest.approx(1.0)


def test_a_share_of_few_rows_is_drawn_to_that_of_all() -> None:
    wanted = Wanted(100.0, 0.15, 0.5)
    assert fit([(4, 4)] * 5, 0.2, wanted).share == pytest.approx((20 + 4) / 40)
    assert fit([(4000, 1200)] * 5, 0.2, wanted).share == pytest.approx(0.3, abs=0.001)
    assert fit([(50, 0)] * 5, 0.0, wanted).share > 0


def test_counts_that_vary_more_than_coins_are_seen_to() -> None:
    draw = np.random.default_rng(2)
    wanted = Wanted(100.0, 0.15, 0.5)
    plain = [(100, int(draw.binomial(100, 0.2))) for _ in range(400)]
    more = [(100, int(draw.binomial(100, draw.beta(3.8, 15.2)))) for _ in range(400)]
    assert fit(plain, 0.2, wanted).correlation == pytest.approx(0.0, abs=0.002)
    assert fit(more, 0.2, wanted).correlation == pytest.approx(0.05, abs=0.012)


def test_a_guarded_limit_is_higher_the_less_is_known() -> None:
    little, much = [(40, 8)] * 10, [(40, 8)] * 1000
    found = [
        [fit(windows, 0.2, Wanted(500.0, 0.15, guard)).limit for guard in (0.5, 0.9)]
        for windows in (little, much)
    ]
    assert found[0][1] > 1.2 * found[0][0]
    assert found[1][1] < 1.1 * found[1][0]
