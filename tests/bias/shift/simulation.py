"""Repeated tests of made-up sets."""

import numpy as np
from scipy.stats import binom

REPEATS = 300


def alarm_share(test, draw, repeats=REPEATS, **options):
    """How often ``test(*draw(rng))`` has p <= 0.05, over ``repeats`` draws from fixed seeds."""
    return np.mean(
        [
            test(*draw(np.random.default_rng([7, i])), **options).p_value <= 0.05
            for i in range(repeats)
        ]
    )


def band(share, repeats=REPEATS):
    """The central 99 % of observed shares where the true one is ``share``."""
    low, high = binom.interval(0.99, repeats, share)
    return low / repeats, high / repeats


def normal(n, m, d, shift=0.0):
    """A draw of two normal sets, the first feature of the second one shifted."""

    def draw(rng):
        y = rng.normal(size=(m, d))
        y[:, 0] += shift
        return rng.normal(size=(n, d)), y

    return draw
