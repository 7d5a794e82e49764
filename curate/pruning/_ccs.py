"""Coverage-centric coreset selection."""

from fractions import Fraction

import numpy as np

from curate.errors import CurateError
from curate.pruning.rankings import cut_count
from curate.pruning.top import Ties, top


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

    Infinite scores (never learned) have no place in such intervals: those that outlive the cut
    belong to the hardest stratum. The paper tunes beta for each data set and pruning rate: 0 to
    0.5, more the more is pruned.

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
    place = np.arange(len(rows)) - np.searchsorted(stratum, stratum)  # within its stratum
    mask = np.zeros(len(scores), bool)
    mask[rows[order[place < budgets[stratum]]]] = True
    return mask


def _strata(scores: np.ndarray, strata: int) -> np.ndarray:
    finite = scores[np.isfinite(scores)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    width = (high - low) / strata
    if width > 0:
        place = np.floor((np.clip(scores, low, high) - low) / width)
    else:
        place = np.zeros(len(scores))
    place[scores == np.inf] = strata - 1
    return np.clip(place, 0, strata - 1).astype(np.int64)  # the largest score: in the last one


def _budgets(sizes: np.ndarray, keep: int) -> np.ndarray:
    budgets = np.zeros(len(sizes), np.int64)
    for done, i in enumerate(np.argsort(sizes, kind="stable")):
        budgets[i] = min(sizes[i], keep // (len(sizes) - done))
        keep -= int(budgets[i])
    return budgets
