import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fuseline.learning.attacks.geometry import norms, project, random_in_ball, steepest

VALUES = arrays("float32", (2, 3, 4), elements=st.floats(-1e6, 1e6, width=32))
NORMS = st.sampled_from(["l2", "linf"])


@given(VALUES, NORMS, st.floats(1e-3, 1e3))
def test_projection_lands_in_the_ball_and_is_idempotent(values, norm, epsilon):
    once = project(torch.from_numpy(values), epsilon, norm)
    assert norms(once, norm).max() <= epsilon * (1 + 1e-5)
    assert torch.allclose(project(once, epsilon, norm), once, rtol=1e-5, atol=0)


@given(VALUES, NORMS)
def test_points_inside_the_ball_stay(values, norm):
    delta = torch.from_numpy(values)
    radius = float(norms(delta, norm).max()) * 1.01 + 1.0
    assert torch.equal(project(delta, radius, norm), delta)


@given(VALUES)
def test_directions_have_norm_one_or_zero(values):
    lengths = norms(steepest(torch.from_numpy(values), "l2"), "l2")
    assert torch.isfinite(lengths).all()
    assert ((lengths - 1).abs().lt(1e-4) | lengths.eq(0)).all()


@given(st.floats(1e-20, 1e-4))
def test_tiny_gradients_still_have_a_direction(size):
    direction = steepest(torch.full((1, 1, 4), size), "l2")
    assert torch.allclose(direction, torch.full((1, 1, 4), 0.5))


@given(NORMS, st.integers(0, 100))
def test_random_starts_lie_in_the_ball(norm, seed):
    generator = torch.Generator().manual_seed(seed)
    delta = random_in_ball(torch.zeros(4, 3, 5), 0.7, norm, generator)
    assert norms(delta, norm).max() <= 0.7 * (1 + 1e-5)
    assert delta.abs().sum() > 0
