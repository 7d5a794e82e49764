"""Who is presented in an epoch: a function of the seed, the epoch and what is learned."""

import math

import numpy as np


def schedule(learned: np.ndarray, keep: float, seed: int, epoch: int) -> tuple[np.ndarray, float]:
    """Who is presented in an epoch, in which order, and what the learned among them weigh.

    Args:
        learned: (n,) bool.
        keep: share of the learned to present; at least one is.
        seed, epoch: draw them.

    Returns:
        (N,) int64 positions, each at most once; and the number of the learned over that of those
        presented, 1.0 where nobody is learned.
    """
    # the streams of a bit generator, and of its seeding, are the same in all versions of NumPy
    draws = np.random.Philox(np.random.SeedSequence((seed, epoch)))
    lots, places = draws.random_raw(len(learned)), draws.random_raw(len(learned))
    known = np.flatnonzero(learned)
    size = max(1, math.floor(keep * len(known) + 0.5)) if len(known) else 0
    chosen = known[np.argsort(lots[known], kind="stable")[:size]]
    presented = ~learned
    presented[chosen] = True
    rows = np.flatnonzero(presented)
    return rows[np.argsort(places[rows], kind="stable")], len(known) / size if size else 1.0
