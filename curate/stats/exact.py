"""Exact intervals and tests of a share."""


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a probability (Clopper & Pearson, 1934).

    Whatever the probability is, the interval misses it in at most 1 - ``level`` of all sets of
    independent trials, at most half of that on either side.

    Args:
        successes: how many trials succeeded.
        trials: how many there were; with none, the interval is (0, 1).
        level: of confidence.
    """
    from scipy.stats import beta

    tail = (1 - level) / 2
    failures = trials - successes
    low = float(beta.ppf(tail, successes, failures + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, failures)) if failures else 1.0
    return low, high


def binomial_p_value(successes: int, trials: int, chance: float) -> float:
    """Probability of at least so many successes if each trial succeeds by ``chance``: exact."""
    from scipy.stats import binom

    return float(binom.sf(successes - 1, trials, chance))
