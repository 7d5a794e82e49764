"""The bootstrap over splits against its definition, split by split."""

import numpy as np
import pytest

from curate.stats import overlap_factor, percentile_interval, resampled_mean


def test_a_resampled_mean_is_widened_as_the_corrected_t_is():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, 3))
    for rows in rng.integers(0, 8, (20, 8)):
        expected = []
        for column in values.T:
            mean = sum(column) / 8
            plain = sum(column[row] for row in rows) / 8
            expected.append(mean + overlap_factor(8, 0.3) * (plain - mean))
        assert resampled_mean(values, rows, 0.3) == pytest.approx(expected)


def test_the_spread_of_resampled_means_is_that_of_the_corrected_t():
    """Seed 1, 20,000 resamples: the ratio of standard deviations has an error of 0.5 %."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=10)
    means = [resampled_mean(values, rows, 0.3) for rows in rng.integers(0, 10, (20_000, 10))]
    expected = values.std() / np.sqrt(10) * overlap_factor(10, 0.3)
    assert np.std(means) == pytest.approx(expected, rel=0.02)


def test_a_percentile_interval_needs_nineteen_of_twenty():
    values = list(np.random.default_rng(2).permutation(1001).astype(float))
    assert percentile_interval(values) == pytest.approx((25, 975))
    assert percentile_interval(values, 0.5) == pytest.approx((250, 750))
    assert percentile_interval([1.0] * 95 + [None] * 5) == (1.0, 1.0)
    assert percentile_interval([1.0] * 94 + [None] * 6) == (None, None)
    assert percentile_interval([None]) == percentile_interval([]) == (None, None)
