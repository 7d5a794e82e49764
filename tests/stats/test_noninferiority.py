import numpy as np
import pytest
from scipy import stats

import curate
from curate.stats import paired_difference
from curate.stats.noninferiority import seeds_needed


def simulate(rng, truth, seeds, examples, seed_std=0.01, example_std=0.0):
    """Right or wrong of two arms whose accuracies differ by ``truth`` over all seeds."""
    base = 0.9 + example_std * rng.standard_normal(examples)
    shift = truth + seed_std * rng.standard_normal((seeds, 1))
    second = rng.random((seeds, examples)) < base
    first = rng.random((seeds, examples)) < base + shift
    return first, second


def test_the_interval_is_scipys_paired_t():
    first, second = simulate(np.random.default_rng(0), -0.01, 6, 300)
    found = paired_difference(first, second)
    a, b = first.mean(1), second.mean(1)
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(interval))
    lower = stats.ttest_rel(a, b, alternative="greater").confidence_interval(0.95).low
    assert found.lower == pytest.approx(lower)
    assert found.wide_lower < found.lower


def test_coverage_and_false_claims_are_as_stated():
    """2,000 simulations: the rates' standard error is 0.5 %, so 1.5 % is three of them."""
    rng = np.random.default_rng(1)
    margin, covered, claimed = 0.01, 0, 0
    for _ in range(2000):
        first, second = simulate(rng, -margin, 5, 200)  # exactly at the margin: not as good
        found = paired_difference(first, second)
        covered += found.low <= -margin <= found.high
        claimed += found.lower > -margin
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)
    assert claimed / 2000 == pytest.approx(0.05, abs=0.015)


def test_the_wide_bound_holds_for_new_test_examples():
    """A test set of 60 with large differences from example to example: only the wide bound is
    honest about other test sets (at most 5 % plus three standard errors of false claims)."""
    rng = np.random.default_rng(2)
    narrow = wide = 0
    for _ in range(1000):
        effect = rng.choice([-0.5, 0.4], size=60, p=[0.5, 0.5])  # mean -0.05
        second = np.full((5, 60), 0.5)
        first = rng.random((5, 60)) < second + effect
        second = rng.random((5, 60)) < second
        found = paired_difference(first, second)
        narrow += found.lower > -0.05
        wide += found.wide_lower > -0.05
    assert wide / 1000 < 0.05 + 3 * 0.007
    assert narrow / 1000 > 0.1


def test_one_seed_shows_nothing_and_equal_arms_differ_by_nothing():
    right = np.random.default_rng(0).random((1, 50)) < 0.8
    found = paired_difference(right, ~right)
    assert (found.low, found.lower, found.wide_lower) == (None, None, None)
    same = paired_difference(np.tile(right, (3, 1)), np.tile(right, (3, 1)))
    assert (same.mean, same.low, same.high, same.lower) == (0, 0, 0, 0)
    with pytest.raises(curate.CurateError, match="first: shape"):
        paired_difference(right, right[:, :3])


def test_seeds_needed_is_the_least_number_that_clears_the_margin():
    first, second = simulate(np.random.default_rng(3), -0.002, 4, 500, seed_std=0.02)
    found = paired_difference(first, second)
    margin = 0.015 - found.mean
    needed = seeds_needed(found, margin)

    def clears(seeds):
        half = stats.t.ppf(0.95, seeds - 1) * found.std / np.sqrt(seeds)
        return found.mean - half > -margin

    assert clears(needed)
    assert not clears(needed - 1)
    assert seeds_needed(found, -found.mean) is None
