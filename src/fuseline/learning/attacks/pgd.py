"""Projected gradient descent (Madry et al. 2018, arXiv 1706.06083), on loss ascent."""

from __future__ import annotations

from fuseline.learning.attacks.base import Attack


class PGD(Attack):
    """`num_steps` steps of `step_size * epsilon`, each projected back into the ball.

    Deviation: by default the norm is per token or position rather than per example, so that the
    budget of one token does not shrink as the text grows.
    """
