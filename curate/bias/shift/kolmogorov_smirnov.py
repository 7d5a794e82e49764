"""The Kolmogorov–Smirnov test of every feature, with control of multiplicity."""

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from curate.bias.shift.ks_p_values import asymptotic_p_values, exact_p_values
from curate.bias.shift.pair import pair_of
from curate.bias.shift.power import LEVEL, smallest
from curate.bias.shift.result import Power, TwoSample
from curate.stats import benjamini_hochberg, holm

_EXACT = 10**9  # operations on all features: seconds
_COLUMNS = 1 << 25  # numbers of a block of columns: 128 MiB of float32
_SIMULATED = 500
_POINTS = 500


def kolmogorov_smirnov(x: Any, y: Any) -> TwoSample:
    """Compare the distributions of every feature, and correct for the number of features.

    The p-values are those of all relabellings, with ties as they are, where that takes seconds
    (features · (n + m) · min(n, m) up to 1e9), else from the limiting distribution, which is
    conservative for features with equal values (discrete ones). Sees no difference that lies in
    the joint distribution only.

    Args:
        x: finite numbers of shape (n, d): an array (also mapped from a file), a tensor or a
            :class:`curate.bias.Source` of features; the examples are independent.
        y: the same of shape (m, d).

    Returns:
        ``statistic`` is the largest distance of the two distribution functions over all features,
        ``p_value`` the smallest of the features' after Holm's correction. ``features`` has one
        row per feature: ``feature`` (its index), ``statistic``, ``p_value``, ``p_holm`` (the
        probability of any false alarm is controlled), ``p_benjamini_hochberg`` (the share of false
        alarms is).

    Raises:
        CurateError: other shapes or types, fewer than two examples, values that are not finite.
    """
    pair = pair_of(x, y)
    n, m, d = pair.n, pair.m, pair.d
    exact = d * (n + m) * min(n, m) <= _EXACT
    step = max(1, _COLUMNS // (n + m))
    reached, p_values = np.empty(d, np.int64), np.empty(d)
    for start in range(0, d, step):
        columns = slice(start, start + step)
        both = np.concatenate([pair.x[:, columns], pair.y[:, columns]]).T
        if exact:
            reached[columns], p_values[columns] = _exact(both, n, m)
        else:
            reached[columns] = [_distance(values[:n], values[n:]) for values in both]
    statistics = reached / (n * m)
    if not exact:
        p_values = asymptotic_p_values(statistics, n, m)
    adjusted = holm(p_values)
    return TwoSample(
        test="kolmogorov_smirnov",
        statistic=float(statistics.max()),
        p_value=float(adjusted.min()),
        n=n,
        m=m,
        method=f"{d:,} features, {'exact, ties included' if exact else 'asymptotic'}; Holm",
        power=_power(n, m, d),
        features=pa.table(
            {
                "feature": np.arange(d),
                "statistic": statistics,
                "p_value": p_values,
                "p_holm": adjusted,
                "p_benjamini_hochberg": benjamini_hochberg(p_values),
            }
        ),
    )


def _exact(both: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Statistics times n·m, and their p-values, of features (k, n + m)."""
    order = np.argsort(both, axis=1, kind="stable")
    ordered = np.take_along_axis(both, order, 1)
    last = np.ones(both.shape, bool)
    last[:, :-1] = ordered[:, :-1] != ordered[:, 1:]
    seen = np.cumsum(order < n, axis=1)  # of x, and the rest of y
    distance = np.abs(seen * m - (np.arange(1, n + m + 1) - seen) * n)
    reached = np.where(last, distance, 0).max(1)
    if n > m:  # the same by symmetry, in fewer operations
        n, m = m, n
    p_values = np.empty(len(both))
    untied = last.all(1)
    p_values[untied] = _untied(reached[untied], seen[untied], n, m)
    if not untied.all():  # scipy takes ties for untied values: twice too large for few values
        p_values[~untied] = exact_p_values(reached[~untied], last[~untied], n, m)
    return reached, p_values


def _untied(reached: np.ndarray, seen: np.ndarray, n: int, m: int) -> np.ndarray:
    """p-values of features without equal values, which depend on the statistic alone."""
    from scipy.stats import ks_2samp

    values, first, back = np.unique(reached, return_index=True, return_inverse=True)
    found = np.empty(len(values))
    for place, row in enumerate(first):
        # the order of labels is all that counts: ranks of x and of y
        labels = np.diff(seen[row], prepend=0).astype(bool)
        ranks = np.arange(len(labels))
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # scipy gave up the exact distribution
            try:
                found[place] = ks_2samp(ranks[labels], ranks[~labels], method="exact").pvalue
            except RuntimeWarning:
                last = np.ones((1, len(labels)), bool)
                found[place] = exact_p_values(reached[row : row + 1], last, n, m)[0]
    return found[back]


def _distance(x: np.ndarray, y: np.ndarray) -> int:
    """The largest distance of two distribution functions, times n·m."""
    x, y = np.sort(x), np.sort(y)
    n, m = len(x), len(y)
    # it is largest at a value of x or just below: where a run of equal ones ends or starts
    differ = x[1:] != x[:-1]
    ends, starts = np.append(differ, True), np.append(True, differ)
    at = np.searchsorted(y, x, "right")
    below = at.copy()
    shared = y[np.maximum(at, 1) - 1] == x
    below[shared] = np.searchsorted(y, x[shared], "left")
    place = np.arange(n)
    above = np.abs((place + 1) * m - at * n)[ends].max()
    return int(max(above, np.abs(place * m - below * n)[starts].max()))


@lru_cache(maxsize=256)
def _power(n: int, m: int, d: int) -> Power:
    """A shift of one normal feature: random walks that end where they start, and the shift."""
    from scipy.stats import kstwo, norm

    size = max(1, round(n * m / (n + m)))
    needed = float(kstwo.isf(LEVEL / d, size))
    steps = np.random.default_rng(0).standard_normal((_SIMULATED, _POINTS))
    walks = np.cumsum(steps, axis=1) / np.sqrt(_POINTS * size)
    at = np.arange(1, _POINTS) / _POINTS
    bridges = walks[:, :-1] - at * walks[:, -1:]
    values = norm.ppf(at)

    def power(shift: float) -> float:
        gap = norm.cdf(values + shift / 2) - norm.cdf(values - shift / 2)
        return float((np.abs(bridges + gap).max(1) >= needed).mean())

    return Power(
        smallest(power, 1e-5, 10),
        "shift of one normal feature, in standard deviations",
        f"simulation: {_SIMULATED} Brownian bridges, the limit of the difference of distribution "
        f"functions; after correction for {d:,} features",
    )
