"""The difference of two shares that were measured on different examples."""

import numpy as np
from numpy.typing import ArrayLike


def wilson(
    share: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval of a probability (1927).

    Args:
        share: float64 (...), of the trials that succeeded, in 0..1.
        trials: number of independent trials, not 0; an effective number may be a fraction.
        level: of confidence.

    Returns:
        Low and high, float64 (...).
    """
    from scipy.special import ndtri

    p, n = np.asarray(share, float), np.asarray(trials, float)
    z = float(ndtri((1 + level) / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = np.where(p <= 0, 0.0, np.maximum(middle - reach, 0))
    return low, np.where(p >= 1, 1.0, np.minimum(middle + reach, 1))


def difference_interval(
    first: ArrayLike,
    first_trials: ArrayLike,
    second: ArrayLike,
    second_trials: ArrayLike,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """The interval of the first probability less the second (Newcombe, 1998, method 10).

    It is put together of both Wilson intervals, so that it holds near 0 and 1 too and is never
    wider than -1 to 1.

    Args:
        first: float64 (...), the share that succeeded of the first trials, in 0..1.
        first_trials: their number, not 0.
        second: the share of the second trials, which are independent of the first.
        second_trials: their number, not 0.
        level: of confidence.

    Returns:
        Low and high, float64 (...).
    """
    p, q = np.asarray(first, float), np.asarray(second, float)
    p_low, p_high = wilson(p, first_trials, level)
    q_low, q_high = wilson(q, second_trials, level)
    low = p - q - np.hypot(p - p_low, q_high - q)
    return low, p - q + np.hypot(p_high - p, q - q_low)
