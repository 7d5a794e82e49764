"""McNemar, Newcombe and rank correlations, beside scipy's and slow references."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from curate import stats


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(first, second):
    ours = float(stats.mcnemar(np.array([first]), np.array([second]))[0])
    if first + second == 0:
        assert ours == 1
    else:
        assert ours == pytest.approx(scipy.stats.binomtest(first, first + second).pvalue, rel=1e-9)


def test_mcnemar_of_thousands_of_images():
    ours = stats.mcnemar(np.array([2000, 2500]), np.array([2400, 2500]))
    assert ours[0] == pytest.approx(scipy.stats.binomtest(2000, 4400).pvalue, rel=1e-6)
    assert ours[1] == 1


def test_disagreements_are_counted_image_by_image():
    correct = np.random.default_rng(0).random((5, 20_001)) < 0.7
    counted = stats.disagreements(correct)
    for i in range(5):
        for j in range(5):
            assert counted[i, j] == sum(correct[i] & ~correct[j])


@pytest.mark.parametrize("successes", [0, 1, 40, 99, 100])
def test_wilson_is_scipys(successes):
    theirs = scipy.stats.binomtest(successes, 100).proportion_ci(method="wilson")
    assert np.allclose(stats.wilson(successes / 100, 100), [theirs.low, theirs.high])


@pytest.mark.parametrize(("p", "q"), [(0.95, 0.85), (0.97, 0.97), (0.5, 0.4), (0.999, 0.99)])
def test_the_interval_of_a_difference_covers_it(p, q):
    """Seeded: 4,000 worlds, so that 95 % has a standard error of 0.35 points; 1.5 are tolerated."""
    rng = np.random.default_rng(1)
    first, second = rng.binomial(2000, p, 4000) / 2000, rng.binomial(400, q, 4000) / 400
    low, high = stats.difference_interval(first, 2000, second, 400)
    assert 0.935 <= ((low <= p - q) & (p - q <= high)).mean() <= 0.985


def test_newcombes_own_example():
    """Newcombe (1998), table II, case a: 56/70 and 48/80, method 10."""
    low, high = stats.difference_interval(56 / 70, 70, 48 / 80, 80)
    assert (round(float(low), 4), round(float(high), 4)) == (0.0524, 0.3339)


numbers = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12)


@given(numbers)
def test_rank_correlations_are_scipys(pairs):
    x, y = np.array(pairs, float).T
    with np.errstate(all="ignore"):
        tau = scipy.stats.kendalltau(x, y).statistic
        defined = len(set(x)) > 1 and len(set(y)) > 1
        rho = scipy.stats.spearmanr(x, y).statistic if defined else np.nan
    assert stats.kendall_tau_b(x, y) == pytest.approx(tau, nan_ok=True)
    assert stats.spearman_rho(x, y) == pytest.approx(rho, nan_ok=True)


def test_equal_values_share_the_best_rank():
    assert stats.competition_ranks(np.array([3, 5, 5, 1])).tolist() == [3, 1, 1, 4]
