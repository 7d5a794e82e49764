"""Matching by the measured selection frequency, and its bias taken out by the jackknife.

Images of one measured frequency k/n have, in two sets, different true frequencies where the sets
draw from different pools: a vote of few annotators says more about the pool than about the image.
The error falls as 1/n, which the jackknife over annotators uses (Engstrom et al., 2020, section
4.1): with θ_n from n annotators, n·θ_n - (n - 1)·θ_(n-1) has no error of that order.
"""

import numpy as np

from curate.retest.selection.votes import Votes


def binned_accuracy(original: Votes, new: Votes, annotators: int) -> np.ndarray:
    """Accuracy on the new set, had it the original's measured frequencies.

    Votes of more annotators are thinned: the expectation over all ways to leave out some.

    Args:
        original: whose frequencies are matched.
        new: whose accuracies are.
        annotators: of how many the votes shall be; no image may have fewer.

    Returns:
        float64 (..., models).
    """
    share = original.images @ _thinned(original, annotators)
    share /= share.sum(-1, keepdims=True)
    spread = _thinned(new, annotators)
    images, right = new.images @ spread, new.right @ spread
    return (_filled(right, images[..., None, :]) * share[..., None, :]).sum(-1)


def jackknifed_accuracy(original: Votes, new: Votes) -> np.ndarray:
    """The same with the bias of order 1/annotators taken out: float64 (..., models)."""
    n = int(min(original.shown.min(), new.shown.min()))
    whole, less = (binned_accuracy(original, new, count) for count in (n, n - 1))
    return n * whole - (n - 1) * less


def _thinned(votes: Votes, annotators: int) -> np.ndarray:
    """Probability that so many of the annotators who are left selected: (kinds, left + 1)."""
    from scipy.stats import hypergeom

    left = np.arange(annotators + 1)
    return np.asarray(
        hypergeom.pmf(left, votes.shown[:, None], votes.selected[:, None], annotators)
    )


def _filled(right: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Accuracy at each count of votes; where no image has it, that between its neighbours."""
    images = np.broadcast_to(images, right.shape)
    accuracy = right / np.where(images > 1e-9, images, 1)
    empty = images <= 1e-9
    for place in np.argwhere(empty.any(-1)):
        row = tuple(place.tolist())
        known = np.flatnonzero(~empty[row])
        accuracy[row] = np.interp(np.arange(right.shape[-1]), known, accuracy[row][known])
    return accuracy
