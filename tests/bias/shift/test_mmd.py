import itertools
import math
import sys

import numpy as np
import pytest

from curate.bias import mmd
from curate.bias.shift import random_features
from curate.bias.shift.random_features import summed
from curate.errors import CurateError
from curate.features.pair import as_pair
from tests.bias.shift.simulation import alarm_share, band, normal

MODULE = sys.modules["curate.bias.shift.mmd"]


def slow(x, y, bandwidth):
    """The unbiased estimate, pair by pair (Gretton et al., 2012, equation 3)."""

    def kernel(a, b):
        return math.exp(-sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) / 2 / bandwidth**2)

    n, m = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    between = sum(kernel(a, b) for a in x for b in y)
    return within_x / n / (n - 1) + within_y / m / (m - 1) - 2 * between / n / m


def median_distance(rows):
    return np.median([math.dist(a, b) for a, b in itertools.combinations(rows, 2)])


@pytest.mark.parametrize(("n", "m", "d"), [(2, 2, 1), (12, 9, 3), (5, 30, 8)])
def test_statistic_is_that_of_all_pairs(n, m, d):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)), rng.normal(0.5, 2, size=(m, d)) + 1000
    expected = slow(x, y, median_distance(np.concatenate([x, y])))
    assert mmd(x, y, permutations=19).statistic == pytest.approx(expected, abs=1e-6)


def test_p_value_is_the_share_of_relabellings():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(5, 2)), rng.normal(0.8, size=(4, 2))
    both = np.concatenate([x, y])
    bandwidth = median_distance(both)
    null = []
    for chosen in itertools.combinations(range(9), 5):
        rest = [i for i in range(9) if i not in chosen]
        null.append(slow(both[list(chosen)], both[rest], bandwidth))
    exact = np.mean(np.array(null) >= slow(x, y, bandwidth) - 1e-9)
    assert 0.02 < exact < 0.5
    found = mmd(x, y, permutations=4000).p_value
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 4000))


def test_random_features_come_near_the_kernel():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.normal(0.7, size=(30, 3))
    pair = as_pair(x, y)
    groups = summed(pair, 2.0, 4000, rng)
    assert (groups.a, groups.b, groups.size) == (40, 30, 1)
    found = groups.mmd(groups.sums[:40].sum(0), groups.sums[40:].sum(0))
    rows = pair.take(np.arange(70)).tolist()
    assert found == pytest.approx(slow(rows[:40], rows[40:], 2.0), abs=0.01)


def test_groups_are_of_equal_size_and_lose_nothing():
    """The statistic of groups is the one of all pairs of their examples, under their kernel."""
    rng = np.random.default_rng(0)
    n, m = 3000, 2400
    pair = as_pair(rng.normal(size=(n, 2)), rng.normal(size=(m, 2)))
    groups = summed(pair, 1.0, 8, rng)
    assert (groups.a, groups.b, groups.size) == (500, 400, 6)
    angles = pair.take(np.arange(n + m)).astype(np.float64) @ groups.frequencies
    features = np.concatenate([np.cos(angles), np.sin(angles)], 1) / math.sqrt(8)
    kernel = features @ features.T
    np.fill_diagonal(kernel, 0)
    expected = kernel[:n, :n].sum() / n / (n - 1) + kernel[n:, n:].sum() / m / (m - 1)
    expected -= 2 * kernel[:n, n:].mean()
    found = groups.mmd(groups.sums[:500].sum(0), groups.sums[500:].sum(0))
    assert found == pytest.approx(expected, rel=1e-3)


def test_what_is_left_over_is_less_than_a_group():
    rng = np.random.default_rng(0)
    groups = summed(as_pair(rng.normal(size=(3001, 1)), rng.normal(size=(40, 1))), 1.0, 4, rng)
    assert (groups.size, groups.a, groups.b) == (1, 3001, 40)
    groups = summed(as_pair(rng.normal(size=(9001, 1)), rng.normal(size=(200, 1))), 1.0, 4, rng)
    assert (groups.size, groups.a, groups.b) == (6, 1500, 33)


def test_a_shift_turns_the_waves():
    rng = np.random.default_rng(0)
    x, y, by = rng.normal(size=(50, 3)), rng.normal(size=(60, 3)), np.array([0.3, -1.0, 0.2])
    pair = as_pair(x, y)
    groups = summed(pair, 1.5, 64, rng)
    moved = pair.normal(slice(None), pair.y) + by
    angles = moved @ groups.frequencies
    of_moved = np.concatenate([np.cos(angles), np.sin(angles)], 1).sum(0)
    of_x, of_y = groups.sums[:50].sum(0), groups.sums[50:].sum(0)
    assert groups.shifted_mmd(of_x, of_y)(by) == pytest.approx(groups.mmd(of_x, of_moved), abs=1e-6)


def test_false_alarms_of_all_pairs():
    low, high = band(0.05)
    assert low <= alarm_share(mmd, normal(30, 20, 3), permutations=99) <= high


@pytest.mark.parametrize(("n", "m"), [(300, 200), (20, 500)])
def test_false_alarms_of_random_features(n, m, monkeypatch):
    """In groups of 8 or 9 examples, and in groups of 2."""
    monkeypatch.setattr(MODULE, "_QUADRATIC", 10)
    monkeypatch.setattr(random_features, "_GROUPS", 64)
    monkeypatch.setattr(random_features, "_FEWEST", 10)
    low, high = band(0.05)
    assert low <= alarm_share(mmd, normal(n, m, 3), permutations=99) <= high


def test_a_difference_of_spread_alone_is_seen():
    rng = np.random.default_rng(0)
    for size in (200, 2500):
        x, y = rng.normal(size=(size, 2)), rng.normal(scale=1.5, size=(size, 2))
        assert mmd(x, y).p_value == 0.001


@pytest.mark.parametrize(("n", "repeats"), [(60, 120), (1600, 40)])
def test_power_is_as_stated(n, repeats):
    """All directions are alike here, so the random one stands for the first."""
    smallest = mmd(*normal(n, n, 4)(np.random.default_rng(0))).power.smallest
    share = alarm_share(mmd, normal(n, n, 4, shift=smallest), repeats=repeats, permutations=99)
    assert 0.62 < share < 0.95


def test_bandwidth_is_in_the_units_of_the_features():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 3)) * 1e20
    result = mmd(rows[:20], rows[20:], permutations=19)
    assert f"bandwidth {median_distance(rows):.4g}" in result.method


@pytest.mark.parametrize("permutations", [0, 18, 99.0, True])
def test_too_few_permutations(permutations):
    with pytest.raises(CurateError, match="permutations"):
        mmd(np.eye(3), np.eye(3), permutations=permutations)
