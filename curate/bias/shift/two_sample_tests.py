"""Every two-sample test at once."""

from typing import Any

import numpy as np

from curate.bias.shift.classifier import classifier_two_sample
from curate.bias.shift.kolmogorov_smirnov import kolmogorov_smirnov
from curate.bias.shift.mmd import mmd
from curate.bias.shift.nearest_neighbour import nearest_neighbour
from curate.bias.shift.pair import pair_of
from curate.bias.shift.result import TwoSample, TwoSamples
from curate.features.pair import Pair, copies
from curate.stats import holm
from curate.stats.seeds import generator

_SHARED = 0.01
_MIXED = 0.99
"""p-value of nearest neighbours from which on they are suspiciously mixed."""


def two_sample(x: Any, y: Any, *, permutations: int = 999, seed: int = 0) -> TwoSamples:
    """Test whether x and y come from one distribution, in four ways that see different shifts.

    :func:`classifier_two_sample` (means, jointly), :func:`mmd` (all, best where smooth),
    :func:`kolmogorov_smirnov` (each feature alone) and :func:`nearest_neighbour` (all, best where
    local). Holm's correction for the four is in the result.

    Args:
        x: finite numbers of shape (n, d): an array (also mapped from a file), a tensor or a
            :class:`curate.bias.Source` of features; the examples are independent.
        y: the same of shape (m, d).
        permutations: random relabellings of the tests that need them.
        seed: of all tests.

    Raises:
        CurateError: other shapes or types, fewer than two examples, values that are not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> result = two_sample(rng.normal(size=(200, 8)), rng.normal(0.5, size=(200, 8)))
        >>> result.p_value < 0.01
        True
    """
    tests = (
        classifier_two_sample(x, y, seed=seed),
        mmd(x, y, permutations=permutations, seed=seed),
        kolmogorov_smirnov(x, y),
        nearest_neighbour(x, y, permutations=permutations, seed=seed),
    )
    adjusted = holm(np.array([test.p_value for test in tests]))
    return TwoSamples(tests, tuple(adjusted.tolist()), _copies(pair_of(x, y), tests[-1], seed))


def _copies(pair: Pair, neighbours: TwoSample, seed: int) -> tuple[str, ...]:
    """Notes on rows that are in both sets, which the tests take for independent."""
    marks = copies(pair, generator(seed, 10))
    own, other = marks[: pair.n], marks[pair.n :]
    shared = np.isin(own, other)
    within = 1 - len(np.unique(own)) / len(own)  # values that are few repeat by chance
    if shared.mean() > max(_SHARED, 2 * within):
        return (
            f"{int(shared.sum()):,} of the {pair.n:,} examples of x are also in y, number for "
            "number: the tests take them for independent, and see less; leave them out of one set",
        )
    if neighbours.p_value >= _MIXED:
        return (
            f"the nearest neighbours are of the other set more often than by chance (p = "
            f"{neighbours.p_value:.3g}): look for near copies in both sets; one pair of sets in a "
            "hundred comes out like this, too",
        )
    return ()
