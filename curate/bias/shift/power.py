"""The smallest difference that a test detects with the power aimed at."""

from collections.abc import Callable

import numpy as np

LEVEL = 0.05
"""Of the tests whose power is stated."""

WANTED = 0.8
"""The power aimed at."""

DETECTED = 0.8416212335729143
"""The quantile of the standard normal distribution at ``WANTED``."""

_STEPS = 20


def smallest(power: Callable[[float], float], low: float, high: float) -> float:
    """The least difference in [low, high] with power of ``WANTED``; infinite if none has it.

    Args:
        power: of a difference; does not decrease.
        low: positive.
        high: above low.
    """
    if power(high) < WANTED:
        return float("inf")
    if power(low) >= WANTED:
        return low
    below, above = np.log(low), np.log(high)
    for _ in range(_STEPS):
        middle = (below + above) / 2
        if power(float(np.exp(middle))) >= WANTED:
            above = middle
        else:
            below = middle
    return float(np.exp(above))
