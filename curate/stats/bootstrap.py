"""Bootstrap over random splits of the same examples."""

from collections.abc import Sequence

import numpy as np

from curate.stats.corrected_t import overlap_factor

LEAST_DEFINED = 0.95
"""Share of resamples in which a statistic must be defined to have an interval."""


def resampled_mean(values: np.ndarray, rows: np.ndarray, test_share: float) -> np.ndarray:
    """Mean over resampled splits, moved away from the mean by :func:`overlap_factor`.

    Splits share training examples, so a plain bootstrap over them is too narrow: the deviation
    of each resample is widened as the corrected resampled t widens its error.

    Args:
        values: float64 (splits, ...), one result per random split.
        rows: int64 (splits,), the resample: indices of splits, with replacement.
        test_share: of the examples, in 0..1.

    Returns:
        float64 (...).
    """
    mean: np.ndarray = values.mean(0)
    return mean + (values[rows].mean(0) - mean) * overlap_factor(len(values), test_share)


def percentile_interval(
    values: Sequence[float | None], level: float = 0.95
) -> tuple[float | None, float | None]:
    """The middle share ``level`` of bootstrap values.

    Args:
        values: the statistic in each resample; None where it is undefined.
        level: of the interval, in 0..1.

    Returns:
        Low and high; None for both where the statistic is undefined in more than a twentieth of
        the resamples.
    """
    known = [value for value in values if value is not None]
    if not known or len(known) < LEAST_DEFINED * len(values):
        return None, None
    low, high = np.quantile(known, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
