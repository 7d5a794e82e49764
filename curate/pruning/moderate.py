"""Keep what lies near the median."""

import numpy as np

from curate.pruning.top import Ties, top


def moderate(scores: np.ndarray, keep: int, ties: Ties) -> np.ndarray:
    """Keep the examples whose score is nearest to the median score (Xia et al., ICLR 2023).

    'Moderate Coreset' states the rule for any score, and applies it to the distance of an
    example's features to the centre of its class, within each class. The example table holds no
    features: here the rule is applied to the score at hand, and within each class with
    ``stratify="label"``.

    Args:
        scores: float64 of shape (n,), no NaN; the mean of the middle two is the median of an even
            number. If the median is infinite (most were never learned), these are the nearest.
        keep: how many, 0 ... n.
        ties: a hash of each row; of equal distances the smaller hash is kept.

    Returns:
        bool of shape (n,), exactly ``keep`` True.
    """
    if len(scores) == 0:
        return np.zeros(0, bool)
    median = np.median(scores)
    with np.errstate(invalid="ignore"):  # infinity minus infinity, taken as 0
        distance = np.where(scores == median, 0.0, np.abs(scores - median))
    return top(-distance, keep, ties)
