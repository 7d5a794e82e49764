"""Intervals of means over seeds."""

import numpy as np


def mean_interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, ...]:
    """Mean over the first axis, with Student's t interval of that mean.

    Args:
        values: (seeds, …).
        level: of the interval.

    Returns:
        Mean, low, high, each of shape (…); low and high are NaN for a single seed.
    """
    from scipy.stats import t as student

    count = len(values)
    mean = values.mean(0)
    if count < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    reach = student.ppf((1 + level) / 2, count - 1) * values.std(0, ddof=1) / np.sqrt(count)
    return mean, mean - reach, mean + reach
