"""Keep a random sample."""

import numpy as np

from curate.pruning.top import Ties, smallest


def random(scores: np.ndarray, keep: int, ties: Ties) -> np.ndarray:
    """Keep examples drawn at random, whatever their score: the baseline that a score must beat.

    Args:
        scores: shape (n,); only their number matters.
        keep: how many, 0 ... n.
        ties: a hash of each row; the smallest hashes are drawn.

    Returns:
        bool of shape (n,), exactly ``keep`` True.
    """
    return smallest(ties(np.arange(len(scores))), keep)
