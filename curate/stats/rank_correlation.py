"""Do two lists put the same things in the same order?"""

import numpy as np


def competition_ranks(values: np.ndarray) -> np.ndarray:
    """1 for the largest; equal values share the best of their ranks, as in sports: int64 (k,)."""
    descending = np.sort(-values)
    return np.searchsorted(descending, -values) + 1


def kendall_tau_b(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's τ_b (1945): concordant less discordant pairs, corrected for ties.

    Args:
        x: numbers (k,).
        y: numbers (k,).

    Returns:
        In -1..1; NaN where all of either are equal.
    """
    signs = [np.sign(values[:, None] - values[None, :]) for values in (x, y)]
    untied = [float(np.abs(sign).sum()) for sign in signs]
    if not min(untied):
        return float("nan")
    return float((signs[0] * signs[1]).sum()) / float(np.sqrt(untied[0] * untied[1]))


def spearman_rho(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's ρ: the correlation of the ranks, equal values at their mean rank.

    Args:
        x: numbers (k,).
        y: numbers (k,).

    Returns:
        In -1..1; NaN where all of either are equal.
    """
    ranks = [(values[:, None] > values[None, :]).sum(1) for values in (x, y)]
    ties = [(values[:, None] == values[None, :]).sum(1) for values in (x, y)]
    mid = [rank + (tie - 1) / 2 for rank, tie in zip(ranks, ties, strict=True)]
    a, b = (rank - rank.mean() for rank in mid)
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else float("nan")
