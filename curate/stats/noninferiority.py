"""Is one way of training as good as another? Paired over seeds, and over test examples."""

import math
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from curate.errors import CurateError

CONFIDENCE = 0.95


@dataclass(frozen=True, repr=False)
class Difference:
    """Mean accuracy difference between two arms trained with the same seeds, in 0..1.

    Attributes:
        mean: first minus second, over seeds and test examples.
        low, high: two-sided 95 % interval for the mean over all seeds on this test set: paired t
            over seeds. None with a single seed.
        lower: one-sided 95 % bound of the same.
        wide_lower: one-sided 95 % bound for new test examples too.
        std: standard deviation of the difference from seed to seed.
        seeds: how many.
    """

    mean: float
    low: float | None
    high: float | None
    lower: float | None
    wide_lower: float | None
    std: float | None
    seeds: int

    def __repr__(self) -> str:
        between = "" if self.low is None else f", low={self.low:+.4f}, high={self.high:+.4f}"
        return f"Difference(mean={self.mean:+.4f}{between}, seeds={self.seeds})"

    def __str__(self) -> str:
        """The mean with its 95 % interval, in percentage points."""
        if self.low is None or self.high is None:
            return f"{100 * self.mean:+.2f} points (one seed: no interval)"
        return (
            f"{100 * self.mean:+.2f} points (95 % interval {100 * self.low:+.2f} to "
            f"{100 * self.high:+.2f}, {self.seeds} seeds)"
        )

    @property
    def table(self) -> pa.Table:
        """One row: the attributes."""
        return pa.Table.from_pylist([asdict(self)], _SCHEMA)


_SCHEMA = pa.schema(
    [
        *((name, pa.float64()) for name in ("mean", "low", "high", "lower", "wide_lower", "std")),
        ("seeds", pa.int64()),
    ]
)


def paired_difference(first: np.ndarray, second: np.ndarray) -> Difference:
    """Compare two arms by what each got right.

    Over seeds, the k differences d_s of the accuracies are independent draws: mean ± t(k-1) ·
    std / sqrt(k). For new test examples as well, the variance over the m examples of the mean
    difference is added, var_i / m, and the degrees of freedom are Satterthwaite's. What varies
    from example and seed together is then counted twice: the bound errs on the safe side.

    Args:
        first, second: (seeds, test examples) bool, right or wrong, the same seeds in the same
            order.

    Raises:
        CurateError: shapes that differ or are empty.
    """
    if first.shape != second.shape or first.ndim != 2 or first.size == 0:
        raise CurateError(
            f"first: shape {first.shape} against {second.shape}; give the same (seeds, examples)"
        )
    each = first.astype(np.float64) - second.astype(np.float64)
    seeds, examples = each.shape
    by_seed, by_example = each.mean(1), each.mean(0)
    mean = float(by_seed.mean())
    if seeds < 2:
        return Difference(mean, None, None, None, None, None, seeds)
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    of_examples = float(by_example.var(ddof=1)) / examples if examples > 1 else math.inf
    half = t_quantile(1 - (1 - CONFIDENCE) / 2, seeds - 1) * math.sqrt(of_seeds)
    lower = mean - t_quantile(CONFIDENCE, seeds - 1) * math.sqrt(of_seeds)
    both = of_seeds + of_examples
    freedom = _satterthwaite((of_seeds, seeds - 1), (of_examples, examples - 1))
    wide = mean - t_quantile(CONFIDENCE, freedom) * math.sqrt(both)
    std = math.sqrt(of_seeds * seeds)
    return Difference(mean, mean - half, mean + half, lower, min(wide, lower), std, seeds)


def seeds_needed(difference: Difference, margin: float) -> int | None:
    """Seeds at which the bound would clear ``-margin``, if mean and spread stay as they are.

    None where the mean itself does not clear it, or the spread is not known.
    """
    gap = difference.mean + margin
    if difference.std is None or gap <= 0:
        return None
    for seeds in range(2, 1001):
        if t_quantile(CONFIDENCE, seeds - 1) * difference.std / math.sqrt(seeds) < gap:
            return seeds
    return None


def t_quantile(quantile: float, freedom: float) -> float:
    """Quantile of Student's t distribution."""
    from scipy.stats import t

    return float(t.ppf(quantile, freedom))


def _satterthwaite(*parts: tuple[float, int]) -> float:
    total = sum(variance for variance, _ in parts)
    if total == 0 or math.isinf(total):
        return float(min(freedom for _, freedom in parts))
    return total**2 / sum(variance**2 / freedom for variance, freedom in parts if variance)
