"""Seeded chance."""

from numbers import Integral

import numpy as np

from curate.errors import CurateError


def generator(*seeds: int) -> np.random.Generator:
    """NumPy's generator of one seed, or of several, the first of which is the caller's.

    Raises:
        CurateError: a seed that is no integer, or a negative one.
    """
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
            raise CurateError(f"seed: {seed!r}; give an integer of at least 0")
    return np.random.default_rng(seeds if len(seeds) > 1 else seeds[0])
