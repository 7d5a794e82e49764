"""Drop the very hardest, keep the hardest of the rest."""

from fractions import Fraction

import numpy as np

from curate.errors import CurateError
from curate.pruning.counts import round_half_up
from curate.pruning.top import Ties, top


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
