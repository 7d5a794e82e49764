"""Keep the hardest."""

from fractions import Fraction

import numpy as np

from curate.errors import CurateError
from curate.pruning.counts import round_half_up
from curate.pruning.top import Ties, smallest, top


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


def window(
    scores: np.ndarray, keep: int, ties: Ties, drop_hardest: Fraction = Fraction(1, 10)
) -> np.ndarray:
    """Keep a window of the ranking that starts below the hardest examples.

    The hardest examples are often mislabelled (Swayamdipta et al., EMNLP 2020, Section 5), so
    they go first. Paul et al. (NeurIPS 2021, Section 4) slide such a window over EL2N; Choi et al.
    (ICML 2024, 'BWS: Best Window Selection') choose its start by kernel ridge regression on
    features, where here it is an argument.

    Args:
        scores: float64 of shape (n,), high = hard, no NaN.
        keep: how many, 0 ... n.
        ties: a hash of each row; of equal scores the smaller hash counts as the harder.
        drop_hardest: fraction of the n examples to drop from the hard end.

    Returns:
        bool of shape (n,), exactly ``keep`` True.

    Raises:
        CurateError: fewer than ``keep`` remain after the cut.
    """
    cut = cut_count("drop_hardest", drop_hardest, len(scores), keep)
    return top(scores, cut + keep, ties) & ~top(scores, cut, ties)


def cut_count(name: str, share: Fraction, total: int, keep: int) -> int:
    """How many examples a cut of the hardest takes, checked against what has to remain."""
    cut = round_half_up(share * total)
    if total - cut < keep:
        raise CurateError(
            f"{name}: dropping the hardest {float(share):g} of {total:,} examples leaves "
            f"{total - cut:,}, fewer than the {keep:,} to keep; lower {name} or keep"
        )
    return cut
