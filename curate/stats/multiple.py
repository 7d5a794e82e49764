"""p-values adjusted for the number of tests."""

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment (1979): controls the probability of any false rejection.

    Args:
        p_values: float64 (k,), of tests that may depend on each other.

    Returns:
        float64 (k,). Rejecting where the adjusted value is at most 0.05 rejects a true null
        hypothesis with probability 0.05 at most.
    """
    order = np.argsort(p_values, kind="stable")
    grown = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(grown), 1)
    return adjusted


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Benjamini & Hochberg's step-up adjustment (1995): controls the false discovery rate.

    Args:
        p_values: float64 (k,), of independent or positively dependent tests.

    Returns:
        float64 (k,). Of the tests whose adjusted value is at most 0.05, an expected share of 0.05
        at most are false.
    """
    from scipy.stats import false_discovery_control

    if not len(p_values):
        return np.empty_like(p_values)
    return np.asarray(false_discovery_control(p_values, method="bh"))
