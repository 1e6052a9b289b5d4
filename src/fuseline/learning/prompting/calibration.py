"""Contextual calibration (Zhao et al. 2021, arXiv 2102.09690)."""

from __future__ import annotations

import numpy as np


def calibrate(scores: np.ndarray, content_free: np.ndarray) -> np.ndarray:
    """Scores without the bias that a prompt has before it sees any content.

    The paper's diagonal W = diag(p_cf)^-1, b = 0 on probabilities is a subtraction of log p_cf
    on log-probabilities. The constants of both softmaxes move no decision and are left out.

    Args:
        scores: (N, C) unnormalised log-probabilities.
        content_free: (C,) the same for an input without content. The paper averages "N/A", ""
            and "[MASK]"; here an absent text and absent media say it as the model learnt it.

    Returns:
        (N, C) log-probabilities up to a constant per row.
    """
    return np.asarray(scores - content_free)
