"""Keep the easiest."""

import numpy as np

from curate.pruning.top import Ties, top


def easiest(scores: np.ndarray, keep: int, ties: Ties) -> np.ndarray:
    """Keep the examples of lowest score.

    Better than the hardest when little data is left or labels are noisy (Sorscher et al., NeurIPS
    2022, 'Beyond neural scaling laws', Section 2).

    Args:
        scores: float64 of shape (n,), high = hard, no NaN.
        keep: how many, 0 ... n.
        ties: a hash of each row; of equal scores the smaller hash is kept.

    Returns:
        bool of shape (n,), exactly ``keep`` True.
    """
    return top(-scores, keep, ties)
