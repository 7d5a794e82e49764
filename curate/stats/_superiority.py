"""Is one way of training better than another at all?"""

import numpy as np

from curate.errors import CurateError
from curate.stats._certificate import Certificate
from curate.stats.noninferiority import satterthwaite, t_quantile


def superiority(first: np.ndarray, second: np.ndarray, *, level: float = 0.025) -> Certificate:
    """Test that ``second`` is better than ``first``, one-sided, for new examples and new seeds.

    The hypothesis is that there is no difference: that it is a coin toss, for every test example,
    which of the two does better on it. Two tests have to reject it. Fisher's randomization test
    turns the signs of the examples' sums over seeds, exactly, so it holds where few examples
    differ. Student's t of the mean, with the variance components of seeds and examples (two-way
    analysis of variance, their interaction counted once) and Satterthwaite's degrees of freedom,
    holds where the seeds differ; it also gives the bound.

    That a *margin* is kept needs :func:`certificate`, which assumes nothing of the examples that
    were not seen, and asks for more of them.

    Args:
        first, second: (seeds, test examples) bool, right or wrong.
        level: of the test.

    Returns:
        A certificate at margin 0: ``loss`` is the accuracy of ``first`` less that of ``second``,
        negative where ``second`` is better; ``-bound`` is the least gain.

    Raises:
        CurateError: shapes that differ or are empty.
    """
    if first.shape != second.shape or first.ndim != 2 or first.size == 0:
        raise CurateError(
            f"first: shape {first.shape} against {second.shape}; give the same (seeds, examples)"
        )
    each = first.astype(np.int64) - second.astype(np.int64)
    seeds, examples = each.shape
    loss = float(each.mean())
    if seeds < 2:
        return Certificate(loss, 1.0, 1.0, 0.0, level, seeds, examples)
    by_t, bound = t_test(each, level)
    p = max(randomization_p_value(-each.sum(0)), by_t)
    return Certificate(loss, bound, p, 0.0, level, seeds, examples)


def t_test(each: np.ndarray, level: float) -> tuple[float, float]:
    """The p-value of the hypothesis that the mean is 0 or more, and the mean's upper bound.

    Args:
        each: (seeds, examples) int, first minus second.
        level: of the bound.
    """
    from scipy.stats import t

    loss = float(each.mean())
    variance, freedom = _variance(each)
    if variance == 0:
        return float(loss >= 0), loss
    spread = variance**0.5
    return float(t.cdf(loss / spread, freedom)), loss + t_quantile(1 - level, freedom) * spread


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


def _variance(each: np.ndarray) -> tuple[float, float]:
    """Of the mean over new seeds and new examples, and its degrees of freedom."""
    seeds, examples = each.shape
    by_seed, by_example, mean = each.mean(1), each.mean(0), each.mean()
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    of_examples = float(by_example.var(ddof=1)) / examples if examples > 1 else 0.0
    rest = each - by_seed[:, None] - by_example + mean
    freedom = (seeds - 1) * (examples - 1)
    of_both = float((rest**2).sum()) / freedom / each.size if freedom else 0.0
    variance = max(of_seeds, of_examples, of_seeds + of_examples - of_both)
    return variance, satterthwaite((of_seeds, seeds - 1), (of_examples, examples - 1))
