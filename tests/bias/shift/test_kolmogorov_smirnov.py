import itertools
import sys
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstwo

from curate.bias import kolmogorov_smirnov
from curate.bias.shift.ks_p_values import asymptotic_p_values
from tests.bias.shift.simulation import alarm_share, band, normal

MODULE = sys.modules["curate.bias.shift.kolmogorov_smirnov"]


def columns(result, name):
    return result.features[name].to_numpy()


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 40))
def test_exact_p_values_are_scipys(seed, n, m):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(0.5, size=(m, 3))
    result = kolmogorov_smirnov(x, y)
    with warnings.catch_warnings(record=True) as troubles:
        warnings.simplefilter("always")
        expected = [ks_2samp(x[:, i], y[:, i], method="exact") for i in range(3)]
    assume(not troubles)  # it gives up on some sizes
    assert columns(result, "statistic") == pytest.approx([each.statistic for each in expected])
    assert columns(result, "p_value") == pytest.approx([e.pvalue for e in expected], rel=1e-9)


@given(st.lists(st.integers(0, 2), min_size=7, max_size=7), st.integers(2, 5))
def test_ties_are_exact(values, n):
    """Against all relabellings, one by one."""
    values = np.array(values)
    found = kolmogorov_smirnov(values[:n, None], values[n:, None])

    def statistic(chosen):
        x, y = values[list(chosen)], np.delete(values, chosen)
        return max(abs((x <= v).mean() - (y <= v).mean()) for v in range(3))

    own = statistic(tuple(range(n)))
    null = [statistic(chosen) for chosen in itertools.combinations(range(7), n)]
    assert found.statistic == pytest.approx(own)
    assert found.p_value == pytest.approx(np.mean(np.array(null) >= own - 1e-9))


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(2, 60), st.integers(1, 9))
def test_large_sets_have_scipys_statistic(seed, n, m, levels):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, levels, n).astype(float), rng.integers(0, levels + 1, m).astype(float)
    found = MODULE._distance(x, y) / (n * m)
    assert found == pytest.approx(ks_2samp(x, y).statistic)


def test_asymptotic_p_values_are_scipys(monkeypatch):
    monkeypatch.setattr(MODULE, "_EXACT", 0)
    monkeypatch.setattr(MODULE, "_COLUMNS", 2 * 7000)  # two columns at a time
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3000, 5)), rng.normal(0.02, size=(4000, 5))
    result = kolmogorov_smirnov(x, y)
    expected = [ks_2samp(x[:, i], y[:, i], method="asymp").pvalue for i in range(5)]
    assert columns(result, "p_value") == pytest.approx(expected)


def test_p_values_of_large_sets_are_the_exact_distributions():
    z = np.array([0, 0.3, 0.5, 0.8, 1.2, 1.6, 2.5, 4])
    statistics = z / np.sqrt(25_000)
    found = asymptotic_p_values(statistics, 50_000, 50_000)
    exact = kstwo.sf(statistics, 25_000)
    assert found[:5] == pytest.approx(exact[:5], rel=3e-6)  # each term of the correction matters
    assert found[:-1] == pytest.approx(exact[:-1], rel=1e-3)
    assert found[-1] == pytest.approx(exact[-1], rel=1e-2)
    assert found[-1] > 0


def test_false_alarms():
    low, high = band(0.05)
    assert low <= alarm_share(kolmogorov_smirnov, normal(100, 80, 4)) <= high


def test_false_alarms_of_discrete_features():
    """Exact p-values of few levels: at most 5 %, and not almost never, as without their ties."""

    def draw(rng):
        return rng.integers(0, 8, (60, 1)), rng.integers(0, 8, (70, 1))

    share = alarm_share(kolmogorov_smirnov, draw)
    assert 0.02 <= share <= band(0.05)[1]
    untied = np.mean(
        [
            ks_2samp(*(a[:, 0] for a in draw(np.random.default_rng([7, i]))), method="exact").pvalue
            <= 0.05
            for i in range(300)
        ]
    )
    assert untied < share


def test_the_feature_that_differs_is_named():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 20)), rng.normal(size=(300, 20))
    y[:, 7] = y[:, 7] * 2
    result = kolmogorov_smirnov(x, y)
    assert np.flatnonzero(columns(result, "p_holm") < 0.05).tolist() == [7]
    assert result.p_value == columns(result, "p_holm")[7]
    assert result.statistic == columns(result, "statistic").max()


@pytest.mark.parametrize(("n", "d"), [(100, 1), (250, 5)])
def test_power_is_as_stated(n, d):
    smallest = kolmogorov_smirnov(*normal(n, n, d)(np.random.default_rng(0))).power.smallest
    share = alarm_share(kolmogorov_smirnov, normal(n, n, d, shift=smallest), repeats=100)
    assert 0.66 < share < 0.92
