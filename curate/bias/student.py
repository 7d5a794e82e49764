"""Intervals of means over random deals of the same examples into training and test parts."""

import numpy as np

from curate.bias.deal import TEST_SHARE


def mean_interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, ...]:
    """Mean over the first axis, with Student's t interval of that mean, corrected for overlap.

    Args:
        values: (deals, …).
        level: of the interval.

    Returns:
        Mean, low, high, each of shape (…); low and high are NaN for a single deal.
    """
    from scipy.stats import t as student

    count = len(values)
    mean = values.mean(0)
    if count < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    error = values.std(0, ddof=1) / np.sqrt(count) * overlap_factor(count)
    reach = student.ppf((1 + level) / 2, count - 1) * error
    return mean, mean - reach, mean + reach


def overlap_factor(deals: int) -> float:
    """How much larger the error of a mean over deals is than over as many fresh sets of examples.

    Deals share most of their training examples, so that more deals do not make up for few
    examples: the variance is 1 / deals + test / training times that of one deal, instead of
    1 / deals (Nadeau & Bengio, 2003, the corrected resampled t).
    """
    return float(np.sqrt(1 + deals * TEST_SHARE / (1 - TEST_SHARE)))
