import numpy as np
import pytest
from scipy.stats import binom

from curate.bias import classifier_two_sample
from tests.bias.shift.simulation import alarm_share, band, normal


def test_false_alarms():
    """As often as the binomial tail allows: it is discrete, so less than 5 %."""
    trials = 60
    allowed = max(
        binom.sf(k - 1, trials, 0.5) for k in range(61) if binom.sf(k - 1, 60, 0.5) <= 0.05
    )
    low, high = band(allowed)
    assert low <= alarm_share(classifier_two_sample, normal(60, 60, 3)) <= high


def test_p_value_is_the_binomial_tail_of_the_accuracy():
    rng = np.random.default_rng(0)
    result = classifier_two_sample(rng.normal(size=(101, 4)), rng.normal(0.3, size=(250, 4)))
    trials = 102  # 51 of each: the larger set gives no more than the smaller
    right = round(result.statistic * trials)
    assert result.statistic == pytest.approx(right / trials)
    by_hand = sum(binom.pmf(k, trials, 0.5) for k in range(right, trials + 1))
    assert result.p_value == pytest.approx(by_hand)


def test_the_accuracy_is_that_of_the_best_boundary():
    """Two normal sets a distance s apart: Phi(s / 2)."""
    rng = np.random.default_rng(0)
    x, y = normal(20_000, 20_000, 2, shift=1.0)(rng)
    assert classifier_two_sample(x, y).statistic == pytest.approx(0.6915, abs=0.01)


def test_a_weak_difference_is_not_turned_round():
    """The mean accuracy of 60 tests is near that of the best boundary, Phi(0.15) = 0.5596."""
    found = [
        classifier_two_sample(*normal(300, 300, 1, shift=0.3)(np.random.default_rng(i))).statistic
        for i in range(60)
    ]
    assert np.mean(found) == pytest.approx(0.5596, abs=0.015)


@pytest.mark.parametrize("trials", [20, 200, 1000])
def test_power_is_exact(trials):
    rng = np.random.default_rng(0)
    result = classifier_two_sample(rng.normal(size=(trials, 1)), rng.normal(size=(trials, 1)))
    needed = next(k for k in range(trials + 1) if binom.sf(k - 1, trials, 0.5) <= 0.05)
    assert binom.sf(needed - 1, trials, result.power.smallest) == pytest.approx(0.8)


def test_two_examples_detect_nothing():
    result = classifier_two_sample(np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]]))
    assert result.power.smallest == np.inf
    assert "nothing" in str(result)


def test_held_out_examples_are_new():
    """With more features than examples, training examples would be told without a mistake."""
    assert (
        alarm_share(classifier_two_sample, normal(30, 30, 100), repeats=100) <= band(0.05, 100)[1]
    )
