"""Top-k with ties broken by hash: every strategy ends here."""

from collections.abc import Callable

import numpy as np

from curate.errors import CurateError

Ties = Callable[[np.ndarray], np.ndarray]
"""Row numbers -> a uint64 hash of each row's id; of equal rows the smaller hash goes first."""


def top(priority: np.ndarray, count: int, ties: Ties) -> np.ndarray:
    """Mask of the ``count`` rows of highest priority; ties by the hash of the id.

    Only rows that tie at the threshold are hashed. As neither the priority nor the hash depends
    on the order of the rows, neither does the selection.

    Args:
        priority: shape (n,), no NaN.
        count: 0 ... n.
        ties: see :data:`Ties`.

    Returns:
        bool of shape (n,) with exactly ``count`` True.
    """
    if count == 0:
        return np.zeros(len(priority), bool)
    least = _kth_largest(priority, count)
    mask = priority > least
    missing = count - int(np.count_nonzero(mask))
    tied = np.flatnonzero(priority == least)
    mask[tied] = smallest(ties(tied), missing) if missing < len(tied) else True
    return mask


def refined(scores: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Ranks of the scores, equal ones told apart by margin: the lower margin is the harder.

    Args:
        scores: float64 of shape (n,), high = hard.
        margin: float64 of shape (n,); where it is NaN the row is the easiest of its equals.

    Returns:
        float64 of shape (n,), whole numbers; rows of equal score and margin have equal ranks.
    """
    ease = np.where(np.isnan(margin), np.inf, margin)
    order = np.lexsort((-ease, scores))
    sorted_scores, sorted_ease = scores[order], ease[order]
    steps = (sorted_scores[1:] != sorted_scores[:-1]) | (sorted_ease[1:] != sorted_ease[:-1])
    ranks = np.zeros(len(scores))
    ranks[order[1:]] = np.cumsum(steps)
    return ranks


def smallest(hashes: np.ndarray, count: int) -> np.ndarray:
    """Mask of the ``count`` smallest hashes (uint64).

    Raises:
        CurateError: two equal hashes at the threshold, so that nothing tells them apart.
    """
    if count == 0:
        return np.zeros(len(hashes), bool)
    mask = hashes <= _kth_largest(hashes, len(hashes) - count + 1)
    if np.count_nonzero(mask) != count:
        raise CurateError(
            "example_id: two tied rows have the same id or hash; make the ids unique, or, if they "
            "are, take another seed"
        )
    return mask


def _kth_largest(values: np.ndarray, k: int) -> np.generic:
    """``np.sort(values)[-k]``, by bracketing it with a sample (Floyd & Rivest, 1975).

    With many ties, as counts have, the bracket is a single value and nothing has to be sorted.
    """
    n = len(values)
    if n > 4096:
        sample = np.sort(values[:: max(1, n // 8192)])
        spread = 2.5 * len(sample) ** 0.5
        position = (n - k) * len(sample) / n
        low = sample[max(0, int(position - spread))]
        high = sample[min(len(sample) - 1, int(position + spread))]
        above = int(np.count_nonzero(values > high))
        if low == high:
            if above < k <= above + int(np.count_nonzero(values == low)):
                return low
        else:
            inside = values[(values >= low) & (values <= high)]
            if above < k <= above + len(inside):
                values, n, k = inside, len(inside), k - above
    return np.partition(values, n - k)[n - k]
