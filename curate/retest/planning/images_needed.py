"""How many new images does it take to show a drop?"""

import math
from collections.abc import Callable

import numpy as np

from curate.errors import CurateError
from curate.stats import difference_interval, wilson


def images_needed(
    accuracy: float,
    drop: float,
    *,
    original_images: int | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> int:
    """New images that show a drop of accuracy, if there is one.

    Shown means that the interval of the gap (:func:`curate.stats.difference_interval`) lies above
    0. How often it does is exact, a sum over the outcomes of both binomial distributions.

    Args:
        accuracy: on the original set, in 0..1.
        drop: that shall be shown, in 0..1.
        original_images: N; None: so many that its accuracy is known exactly.
        power: the probability of showing it.
        level: of the two-sided interval.

    Raises:
        CurateError: numbers out of range, or an original set that is too small to show the drop
            with however many new images.
    """
    for name, value in (("accuracy", accuracy), ("power", power), ("level", level)):
        if not 0 < value < 1:
            raise CurateError(f"{name}: {value}; give a number between 0 and 1")
    if not 0 < drop <= accuracy:
        raise CurateError(f"drop: {drop}; give a number above 0, up to the accuracy {accuracy}")
    if original_images is not None and original_images < 1:
        raise CurateError(f"original_images: {original_images}; give at least 1")
    new = accuracy - drop
    if original_images is not None and _limit(original_images, accuracy, new, level) <= power:
        least = _least(lambda size: _limit(size, accuracy, new, level) > power)
        raise CurateError(
            f"original_images: {original_images} leave the original accuracy too uncertain to show "
            f"a drop of {drop} with any number of new images; it takes {least:,} or more"
        )
    return _least(lambda n: _power(n, accuracy, new, original_images, level) >= power)


def _least(enough: Callable[[int], bool]) -> int:
    """The least number that is enough, by doubling and halving."""
    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (high + low) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _limit(original_images: int, accuracy: float, new: float, level: float) -> float:
    """The probability that endless new images show the drop."""
    k, chance = _outcomes(original_images, accuracy)
    low, _ = wilson(k / original_images, original_images, level)
    return float(chance[low > new].sum())


def _outcomes(images: int, accuracy: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of right answers and their probabilities, but for those too rare for a float."""
    from scipy.stats import binom

    reach = 9 * math.sqrt(images * accuracy * (1 - accuracy)) + 9
    middle = images * accuracy
    k = np.arange(max(0, math.floor(middle - reach)), min(images, math.ceil(middle + reach)) + 1)
    return k, binom.pmf(k, images, accuracy)


def _power(n: int, accuracy: float, new: float, original_images: int | None, level: float) -> float:
    """The probability that n new images show the drop."""
    from scipy.stats import binom

    k, chance = _outcomes(n, new)
    if original_images is None:
        return float(chance[wilson(k / n, n, level)[1] < accuracy].sum())
    # the fewest right answers on the original set that show it: the bound grows with them
    low, high = np.full(len(k), -1), np.full(len(k), original_images + 1)
    while (high - low).max() > 1:
        middle = (low + high) // 2
        at = np.clip(middle, 0, original_images) / original_images
        shown = difference_interval(at, original_images, k / n, n, level)[0] > 0
        low, high = np.where(shown, low, middle), np.where(shown, middle, high)
    return float(chance @ binom.sf(high - 1, original_images, accuracy))
