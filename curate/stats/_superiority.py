"""Is one way of training better than another at all?"""

from functools import lru_cache

import numpy as np

from curate.stats._certificate import Certificate, checked_pair, seed_noise
from curate.stats.noninferiority import t_quantile


def superiority(first: np.ndarray, second: np.ndarray, *, level: float = 0.025) -> Certificate:
    """Test that ``second`` is better than ``first``, one-sided, for new examples and new seeds.

    The hypothesis is that there is no difference: that it is a coin toss, for every test example,
    which of the two does better on it. Two tests have to reject it. Fisher's randomization test
    turns the signs of the examples' sums over seeds, exactly, so it holds where few examples
    differ. Student's t of the mean over examples, with an effect of the seed whose variance is
    estimated from few and treated as such (a generalized interval, Weerahandi, 1993), holds where
    the seeds differ; it also gives the bound.

    That a *margin* is kept needs :func:`certificate`, which assumes nothing of the examples that
    were not seen, and asks for more of them.

    Args:
        first, second: (seeds, test examples) bool, right or wrong.
        level: of the test.

    Returns:
        A certificate at margin 0: ``loss`` is the accuracy of ``first`` less that of ``second``,
        negative where ``second`` is better; ``-bound`` is the least gain.

    Raises:
        CurateError: other types or shapes, no seed, no example, or a level out of range.
    """
    first, second = checked_pair(first, second, level)
    each = first.astype(np.int64) - second.astype(np.int64)
    seeds, examples = each.shape
    loss = float(each.mean())
    if seeds < 2:
        return Certificate(loss, 1.0, 1.0, 0.0, level, seeds, examples)
    spreads = _spreads(each)
    p = max(randomization_p_value(-each.sum(0)), _p_value(loss, spreads, examples))
    bound = _t_bound(loss, spreads, examples, level)
    return Certificate(loss, bound, p, 0.0, level, seeds, examples)


def t_p_value(each: np.ndarray, mean: float = 0.0) -> float:
    """The p-value of the hypothesis that the mean of (seeds, examples) int is this or more."""
    return _p_value(float(each.mean()) - mean, _spreads(each), each.shape[1])


def _p_value(above: float, spreads: np.ndarray, examples: int) -> float:
    from scipy.special import stdtr

    if not spreads.any():
        return float(above >= 0)
    likely = np.full(len(spreads), float(above >= 0))
    known = spreads > 0
    likely[known] = stdtr(max(examples - 1, 1), above / spreads[known])
    return float(likely.mean())


def _t_bound(loss: float, spreads: np.ndarray, examples: int, level: float) -> float:
    """The upper bound of the mean, at confidence 1 - level."""
    from scipy.optimize import brentq

    if not spreads.any():
        return loss
    beyond = 1.01 * t_quantile(1 - level, max(examples - 1, 1)) * float(spreads.max())
    added = brentq(lambda more: _p_value(-more, spreads, examples) - level, 0.0, beyond)
    return loss + float(added)


def randomization_p_value(sums: np.ndarray) -> float:
    """The share of all turns of signs that give at least the total of these whole numbers.

    Args:
        sums: (m,) int; large = better.

    Returns:
        P(sum of ±|sums| >= total) with independent fair signs, exactly (Fisher, 1935).
    """
    sizes, counts = np.unique(np.abs(sums[sums != 0]), return_counts=True)
    reach = int((sizes * counts).sum())
    chances = np.ones(1)  # of -reach, -reach + 2, ... reach
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        for _ in range(count):
            wider = np.zeros(len(chances) + size)
            wider[: len(chances)] += chances / 2
            wider[size:] += chances / 2
            chances = wider
    at = (int(sums.sum()) + reach) // 2
    return float(min(1.0, chances[at:].sum()))


def _spreads(each: np.ndarray) -> np.ndarray:
    """Standard deviations of the mean over new seeds and examples, as likely as one another.

    That of the examples is estimated from many of them. What the seeds add is not known well from
    few: SS / U less what single examples explain, for quantiles of U, chi-squared (Weerahandi,
    1993), as in :func:`curate.stats.certificate`.
    """
    examples, noise = each.shape[1], seed_noise(each)
    of_examples = float(each.mean(0).var(ddof=1)) / examples if examples > 1 else 0.0
    added = np.maximum(0, noise.squares / _chi_squared(noise.freedom) - noise.residual)
    return np.sqrt(of_examples + (added if added.any() else added[:1]))


@lru_cache(maxsize=16)
def _chi_squared(freedom: int) -> np.ndarray:
    """2,000 quantiles, as likely as one another."""
    from scipy.special import chdtri

    return chdtri(freedom, 1 - (np.arange(2000) + 0.5) / 2000)
