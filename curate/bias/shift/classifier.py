"""The classifier two-sample test: can held-out examples be told apart?"""

from typing import Any

import numpy as np
import torch

from curate.bias.classifiers.linear import fit_linear
from curate.bias.shift.pair import pair_of
from curate.bias.shift.power import LEVEL, WANTED
from curate.bias.shift.result import Power, TwoSample
from curate.features.pair import Pair
from curate.stats.seeds import generator

_MOST = 100_000  # of one set that are trained on: at 512 features, 400 MB for both sets


def classifier_two_sample(x: Any, y: Any, *, seed: int = 0) -> TwoSample:
    """Train a linear classifier to tell x from y, and test it on held-out examples.

    As many of x as of y, drawn at random from the larger set; one half of each trains, the other
    tests (Lopez-Paz & Oquab, ICLR 2017). Under the null hypothesis every test example is told
    right with a probability that averages 1/2 over the two sets, so that the exact binomial tail
    bounds the p-value (Hoeffding, 1956: equal probabilities have the heaviest tail). A linear
    classifier sees differences of means; one of spread only, it does not.

    Args:
        x: finite numbers of shape (n, d): an array (also mapped from a file), a tensor or a
            :class:`curate.bias.Source` of features; the examples are independent.
        y: the same of shape (m, d).
        seed: of the split.

    Returns:
        ``statistic`` is the accuracy on the held-out examples.

    Raises:
        CurateError: other shapes or types, fewer than two examples, values that are not finite.
    """
    from scipy.stats import binom

    pair = pair_of(x, y)
    rng = generator(seed)
    count = min(pair.n, pair.m)
    chosen = [rng.permutation(size)[:count] for size in (pair.n, pair.m)]
    trained = min(count // 2, _MOST)
    direction, middle = _fitted(pair, [np.sort(rows[:trained]) for rows in chosen])
    held_out = [np.sort(rows[count // 2 :]) for rows in chosen]
    correct = 0
    for label, values in enumerate((pair.x, pair.y)):
        rows = held_out[label]
        for start in range(0, len(rows), pair.block):
            block = pair.normal(rows[start : start + pair.block], values)
            # what lies on the boundary counts as x: constant features are told half of the time
            correct += int(((block @ direction > middle) == bool(label)).sum())
    trials = 2 * len(held_out[0])
    needed = int(binom.isf(LEVEL, trials, 0.5)) + 1
    return TwoSample(
        test="classifier",
        statistic=correct / trials,
        p_value=float(binom.sf(correct - 1, trials, 0.5)),
        n=pair.n,
        m=pair.m,
        method=f"linear, trained on {2 * trained:,}, tested on {trials:,}; exact binomial tail",
        power=Power(
            _smallest_accuracy(needed, trials),
            "accuracy on held-out examples (1/2 is chance)",
            "theory: binomial, exact",
        ),
    )


def _fitted(pair: Pair, rows: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """A direction (d,) from x to y, and the middle between the two training means along it."""
    sets = [pair.normal(rows[0], pair.x), pair.normal(rows[1], pair.y)]
    labels = torch.arange(2).repeat_interleave(len(rows[0]))
    linear = fit_linear(torch.from_numpy(np.concatenate(sets)), labels, 2)
    direction = (linear.weight[1] - linear.weight[0]).numpy()
    # of the direction, neither sign nor threshold are taken from calibration on the examples left
    # out: where there is hardly a difference, leaving an example out turns it round
    means = [float((of @ direction).mean(dtype=np.float64)) for of in sets]
    if means[0] > means[1]:
        return -direction, -(means[0] + means[1]) / 2
    return direction, (means[0] + means[1]) / 2


def _smallest_accuracy(needed: int, trials: int) -> float:
    """The least accuracy whose binomial count is ``needed`` or more in 80 of 100 cases."""
    from scipy.stats import beta

    if needed > trials:
        return float("inf")
    # P(count >= needed) at accuracy a is the distribution function of this beta at a
    return float(beta.ppf(WANTED, needed, trials - needed + 1))
