"""Two classifiers on the same images: McNemar's exact test, for every pair of many at once."""

import numpy as np

_BLOCK = 8192  # images that are counted together: each block is exact in float32


def disagreements(correct: np.ndarray) -> np.ndarray:
    """How many images the one of a pair gets right and the other wrong, for every pair.

    Args:
        correct: bool (models, images).

    Returns:
        int64 (models, models): entry i, j counts images that i has right and j has wrong.
    """
    both = np.zeros((len(correct), len(correct)))
    for start in range(0, correct.shape[1], _BLOCK):
        part = correct[:, start : start + _BLOCK].astype(np.float32)
        both += part @ part.T
    return (np.diagonal(both)[:, None] - both).astype(np.int64)


def mcnemar(first_only: np.ndarray, second_only: np.ndarray) -> np.ndarray:
    """Exact two-sided p-values for 'both are right equally often' (McNemar, 1947).

    Under it, of the images on which just one is right, the first has each with probability 1/2:
    twice the smaller tail of that binomial distribution, at most 1.

    Args:
        first_only: int64 (...), images that only the first of the two has right.
        second_only: int64 (...), images that only the second has right.

    Returns:
        float64 (...).
    """
    from scipy.special import bdtr

    fewer, differ = np.minimum(first_only, second_only), first_only + second_only
    p_values = np.minimum(2 * bdtr(fewer.astype(float), differ, 0.5), 1.0)
    return np.where(differ == 0, 1.0, p_values)
