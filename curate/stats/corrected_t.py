"""The corrected resampled t: means over random splits of the same examples."""

import numpy as np


def mean_interval(
    values: np.ndarray, test_share: float, level: float = 0.95
) -> tuple[np.ndarray, ...]:
    """Mean over the first axis, with Student's t interval of that mean, corrected for overlap.

    Args:
        values: (splits, …), one result per random split into training and test part.
        test_share: of the examples, in 0..1.
        level: of the interval.

    Returns:
        Mean, low, high, each of shape (…); low and high are NaN for a single split.
    """
    from scipy.stats import t as student

    count = len(values)
    mean = values.mean(0)
    if count < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    error = values.std(0, ddof=1) / np.sqrt(count) * overlap_factor(count, test_share)
    reach = student.ppf((1 + level) / 2, count - 1) * error
    return mean, mean - reach, mean + reach


def overlap_factor(splits: int, test_share: float) -> float:
    """How much larger the error of a mean over splits is than over as many fresh sets of examples.

    Splits share most of their training examples, so that more splits do not make up for few
    examples: the variance is 1 / splits + test / training times that of one split, instead of
    1 / splits (Nadeau & Bengio, 2003, the corrected resampled t).
    """
    return float(np.sqrt(1 + splits * test_share / (1 - test_share)))
