"""p-values of two-sample Kolmogorov–Smirnov statistics: exact with ties, and asymptotic."""

import numpy as np

_LARGE = 20_000  # from here on the exact distribution takes up to a second a value


def exact_p_values(reached: np.ndarray, last: np.ndarray, n: int, m: int) -> np.ndarray:
    """Share of relabellings of the pooled values whose statistic is at least the one found.

    A relabelling is a path of n + m steps through the sorted values; the distribution functions
    can only be compared where a run of equal values ends (Schröer & Trenkler, 1995). All paths
    that stay below the statistic are counted at once, step by step, as probabilities.

    Args:
        reached: int64 (k,): the statistics times n·m.
        last: bool (k, n + m): whether the sorted value differs from the next one; the last is True.
        n: values of the first set.
        m: values of the second set.

    Returns:
        float64 (k,). Costs k·(n + m)·n operations.
    """
    of_x = np.arange(n + 1)
    inside = np.zeros((len(reached), n + 1))  # probability of i of x so far, statistic not reached
    inside[:, 0] = 1
    outside = np.zeros(len(reached))  # summed on its own, so that tiny p-values keep their digits
    for step in range(1, n + m + 1):
        before = step - 1
        from_y = np.clip((m - (before - of_x)) / (n + m - before), 0, 1)
        from_x = np.clip((n - of_x) / (n + m - before), 0, 1)
        moved = inside * from_y
        moved[:, 1:] += inside[:, :-1] * from_x[:-1]
        distance = np.abs(of_x * m - (step - of_x) * n)
        left = (distance >= reached[:, None]) & last[:, step - 1 : step]
        outside += np.where(left, moved, 0).sum(1)
        inside = np.where(left, 0, moved)
    return np.clip(outside, 0, 1)


def asymptotic_p_values(statistics: np.ndarray, n: int, m: int) -> np.ndarray:
    """From the distribution of the one-sample statistic of n·m / (n + m) continuous values.

    Too large where values are equal: then a false alarm is rarer than stated. For large sets the
    limit with Vrbik's correction of the statistic (2018), whose relative error was measured below
    0.1 % at 1e-6 and 1 % at 1e-14, upwards.
    """
    from scipy.special import kolmogorov
    from scipy.stats import kstwo

    size = max(1, round(n * m / (n + m)))
    if size < _LARGE:
        return np.clip(kstwo.sf(statistics, size), 0, 1)
    z = np.sqrt(size) * statistics
    return kolmogorov(z + 1 / (6 * np.sqrt(size)) + (z - 1) / (4 * size))
