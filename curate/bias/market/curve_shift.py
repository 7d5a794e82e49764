"""How far one learning curve is shifted from another along the axis of training examples."""

import numpy as np

_LEVELS = 101
_LEAST_OVERLAP = 0.02
"""Of performance, in 0..1: a smaller overlap of two curves is no ground for a number."""


def rising(curve: np.ndarray) -> np.ndarray:
    """The non-decreasing sequence nearest to a curve in least squares.

    By the min-max formula of isotonic regression: a thousand resampled curves of ten points
    cost less this way than ten calls of a library's general one.
    """
    sums = np.concatenate([[0.0], np.cumsum(curve, dtype=np.float64)])
    first, last = np.ogrid[: len(curve), : len(curve)]
    means = (sums[last + 1] - sums[first]) / np.maximum(last - first + 1, 1)
    means[first > last] = np.inf
    least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]  # over all ends from i on
    return np.maximum.accumulate(np.where(first > last, -np.inf, least), axis=0).diagonal()


def shift(
    own_sizes: np.ndarray, own: np.ndarray, other_sizes: np.ndarray, other: np.ndarray
) -> tuple[float | None, str]:
    """What one example of another source is worth in examples of one's own.

    At a level of performance that both curves reach, the value is the ratio of the examples
    needed, own over other (Torralba & Efros, 2011, section 3.2); it is averaged, as a logarithm,
    over all levels that both reach. Curves are made to rise first (isotonic regression), and are
    straight between sizes on the log axis.

    Args:
        own_sizes: ascending numbers of own training examples, at least two.
        own: performance at these, 0..1.
        other_sizes: the same of the other source.
        other: its performance on the same test.

    Returns:
        The value, or None, and in words why it is None.
    """
    own, other = rising(own), rising(other)
    low, high = max(own[0], other[0]), min(own[-1], other[-1])
    if other[-1] < own[0]:
        bound = own_sizes[0] / other_sizes[-1]
        return None, (
            f"{other_sizes[-1]:,} examples do worse than {own_sizes[0]:,} of the market's own: "
            f"worth less than {bound:.2g}"
        )
    if other[0] > own[-1]:
        bound = own_sizes[-1] / other_sizes[0]
        return None, (
            f"{other_sizes[0]:,} examples do better than {own_sizes[-1]:,} of the market's own: "
            f"worth more than {bound:.2g}"
        )
    if high - low < _LEAST_OVERLAP:
        return None, f"the curves share {high - low:.3f} of performance, too little to compare"
    levels = np.linspace(low, high, _LEVELS)
    ratio = _needed(levels, own_sizes, own) - _needed(levels, other_sizes, other)
    return float(np.exp(ratio.mean())), ""


def _needed(levels: np.ndarray, sizes: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Logarithm of the examples at which a rising curve reaches each level.

    Where it stays level, the middle of that stretch: the fewest and the most are equally true.
    """
    places = np.log(np.asarray(sizes, np.float64))
    tilt = 1e-9 * np.arange(len(curve))
    first = np.interp(levels, curve + tilt, places)
    last = np.interp(levels, curve - tilt[::-1], places)
    return (first + last) / 2
