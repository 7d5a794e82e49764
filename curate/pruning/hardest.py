"""Keep the hardest."""

import numpy as np

from curate.pruning.top import Ties, top


def hardest(scores: np.ndarray, keep: int, ties: Ties) -> np.ndarray:
    """Keep the examples of highest score (Toneva et al., ICLR 2019, Section 5.1).

    The paper removes the least forgotten examples first; Paul et al. (NeurIPS 2021) do the same
    with EL2N and GraNd.

    Args:
        scores: float64 of shape (n,), high = hard, no NaN.
        keep: how many, 0 ... n.
        ties: a hash of each row; of equal scores the smaller hash is kept.

    Returns:
        bool of shape (n,), exactly ``keep`` True.
    """
    return top(scores, keep, ties)
