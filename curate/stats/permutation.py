"""p-value of a permutation test."""

import numpy as np


def permutation_p_value(observed: float, permuted: np.ndarray) -> float:
    """Share of statistics that are at least the observed one, which is counted among them.

    (1 + #{permuted >= observed}) / (1 + permutations): exactly valid, and never 0, whatever the
    number of random permutations (Phipson & Smyth, 2010).

    Args:
        observed: the statistic, larger where the data speak against the null hypothesis.
        permuted: float (permutations,), the statistic of permuted data.
    """
    return (1 + int((permuted >= observed).sum())) / (1 + len(permuted))
