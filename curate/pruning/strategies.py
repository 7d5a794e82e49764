"""The strategies: pure functions (scores, how many to keep, ties) -> which to keep.

Each takes the ``scores``, float64 of shape (n,), high = hard and without NaN; ``keep``, how many,
0 ... n; and ``ties``, a function that takes row numbers, int64 of shape (k,), and returns a uint64
hash of each row's id, by which equal scores are told apart so that the selection does not depend
on the order of the rows. Each returns bool of shape (n,), exactly ``keep`` True.
"""

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
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf: refused, or taken as 0
        median = np.median(scores)
        if np.isnan(median):
            raise CurateError(
                "by: half of the scores are -inf and half +inf, so there is no median; give finite "
                "scores or another strategy"
            )
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


def ccs(
    scores: np.ndarray,
    keep: int,
    ties: Ties,
    hard_cutoff: Fraction = Fraction(1, 10),
    strata: int = 50,
) -> np.ndarray:
    """Keep examples from the whole range of scores (Zheng et al., ICLR 2023, Algorithm 1).

    The hardest ``hard_cutoff`` (the paper's beta) are pruned. The range of the remaining scores is
    cut into ``strata`` intervals of equal width. From the stratum with the fewest examples up,
    each gives ``min(its size, budget left // strata left)``, drawn at random.

    Infinite scores fit no such interval: +inf (never learned) that outlives the cut
    belongs to the hardest stratum, -inf to the easiest. The paper tunes beta for each data set
    and pruning rate: 0 to 0.5, more the more is pruned.

    Args:
        scores: float64 of shape (n,), high = hard, no NaN.
        keep: how many, 0 ... n.
        ties: a hash of each row; within a stratum the smallest hashes are drawn.
        hard_cutoff: fraction of the n examples to prune from the hard end first.
        strata: number of intervals (the paper's k, 50 there).

    Returns:
        bool of shape (n,), exactly ``keep`` True.

    Raises:
        CurateError: fewer than ``keep`` remain after the cut.
    """
    if isinstance(strata, bool) or not isinstance(strata, int) or strata < 1:
        raise CurateError(f"strata: {strata!r} intervals; give an integer of at least 1")
    cut = cut_count("hard_cutoff", hard_cutoff, len(scores), keep)
    rows = np.flatnonzero(~top(scores, cut, ties))
    stratum = _strata(scores[rows], strata)
    budgets = _budgets(np.bincount(stratum, minlength=strata), keep)
    order = np.lexsort((ties(rows), stratum))
    stratum = stratum[order]
    position = np.arange(len(rows)) - np.searchsorted(stratum, stratum)  # within its stratum
    mask = np.zeros(len(scores), bool)
    mask[rows[order[position < budgets[stratum]]]] = True
    return mask


def beta(
    scores: np.ndarray,
    keep: int,
    ties: Ties,
    confidence_mean: np.ndarray,
    beta_c: float = 4.0,
) -> np.ndarray:
    """Draw examples, the more probably the higher the score and the nearer to a confidence.

    DUAL's sampling for small sizes (Cho et al., ICML 2025, Section 3.3): example i is drawn,
    without replacement, in proportion to ``score_i * Beta(a, b).pdf(m_i)``, where m_i is the mean
    probability of its label. With r the share that is pruned and mu the mean m of the ten highest
    scores, ``b = 15 (1 - mu) (1 - r ** beta_c)`` and ``a = 16 - b``, as the authors' code has it:
    the more is pruned, the easier are the examples that are drawn.

    DUAL is at least 0. A score that is not is moved up until its lowest is 0; infinite scores
    count as the highest, or lowest, finite one.

    Args:
        scores: float64 of shape (n,), high = hard, no NaN.
        keep: how many, 0 ... n.
        ties: a hash of each row, which the draw comes from.
        confidence_mean: float64 of shape (n,), m; where it is NaN the row is drawn last.
        beta_c: the paper's c_D: 5.5 for CIFAR-10, 4 for CIFAR-100, 11 for ImageNet.

    Returns:
        bool of shape (n,), exactly ``keep`` True.

    Raises:
        CurateError: a ``beta_c`` that is not above 0.
    """
    if isinstance(beta_c, bool) or not isinstance(beta_c, int | float) or not beta_c > 0:
        raise CurateError(f"beta_c: {beta_c!r}; give a number above 0, such as 4")
    if keep == 0:
        return np.zeros(len(scores), bool)
    mean = np.clip(confidence_mean, 2.0**-24, 1 - 2.0**-24)
    anchors = mean[top(scores, min(10, len(scores)), ties)]
    anchor = np.nanmean(anchors) if not np.isnan(anchors).all() else 0.5
    b = 15 * (1 - anchor) * (1 - (1 - keep / len(scores)) ** beta_c)
    weights = _weights(scores)
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights) + (15 - b) * np.log(mean) + (b - 1) * np.log1p(-mean)
    # the largest of log weight + Gumbel noise are a draw in proportion to the weights
    uniform = ((ties(np.arange(len(scores))) >> np.uint64(11)) + 0.5) * 2.0**-53
    keys = log_weights - np.log(-np.log(uniform))
    return top(np.where(np.isnan(keys), -np.inf, keys), keep, ties)


def _weights(scores: np.ndarray) -> np.ndarray:
    finite = scores[np.isfinite(scores)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    clipped, up = np.clip(scores, low, high), min(low, 0.0)
    with np.errstate(over="ignore"):
        weights = clipped - up
    if np.isinf(weights).any():  # the range is beyond the largest float
        weights = clipped / 2 - up / 2
    return weights if weights.any() else np.ones(len(scores))


def _strata(scores: np.ndarray, strata: int) -> np.ndarray:
    finite = scores[np.isfinite(scores)]
    if len(finite) and finite.max() / 2 - finite.min() / 2 > np.finfo(float).max / 2:
        return _strata(scores / 4, strata)  # the range is beyond the largest float
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    width = (high - low) / strata
    if width > 0:
        index = np.floor((np.clip(scores, low, high) - low) / width)
    else:
        index = np.zeros(len(scores))
    index[scores == np.inf] = strata - 1
    return np.clip(index, 0, strata - 1).astype(np.int64)  # the largest score: in the last one


def _budgets(sizes: np.ndarray, keep: int) -> np.ndarray:
    budgets = np.zeros(len(sizes), np.int64)
    for done, i in enumerate(np.argsort(sizes, kind="stable")):
        budgets[i] = min(sizes[i], keep // (len(sizes) - done))
        keep -= int(budgets[i])
    return budgets


def cut_count(name: str, share: Fraction, total: int, keep: int) -> int:
    """How many examples a cut of the hardest takes, checked against what has to remain."""
    cut = round_half_up(share * total)
    if total - cut < keep:
        raise CurateError(
            f"{name}: dropping the hardest {float(share):g} of {total:,} examples leaves "
            f"{total - cut:,}, fewer than the {keep:,} to keep; lower {name} or keep"
        )
    return cut
