"""Superiority: exact against all turns of signs, and how often it is false in simulated worlds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import curate
from curate.stats import binomial_p_value, superiority
from curate.stats._superiority import randomization_p_value


def by_all_turns(sums):
    """The definition: every turn of signs, one after the other."""
    total = sum(sums)
    turned = [
        sum(sign * abs(x) for sign, x in zip(signs, sums, strict=True)) >= total
        for signs in itertools.product((1, -1), repeat=len(sums))
    ]
    return sum(turned) / len(turned)


@given(st.lists(st.integers(-5, 5), max_size=9))
def test_the_randomization_test_counts_all_turns_of_signs(sums):
    assert randomization_p_value(np.array(sums, int)) == pytest.approx(by_all_turns(sums))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=200), st.randoms())
def test_the_order_and_examples_that_do_not_differ_change_nothing(sums, random):
    p = randomization_p_value(np.array(sums))
    assert 0 < p <= 1
    shuffled = [*sums, 0, 0, 0]
    random.shuffle(shuffled)
    assert randomization_p_value(np.array(shuffled)) == pytest.approx(p)
    assert randomization_p_value(3 * np.array(sums)) == pytest.approx(p)


def test_equal_sums_are_a_sign_test():
    for better, worse in ((0, 1), (5, 0), (9, 2), (300, 250), (3000, 2900)):
        sums = np.repeat([4, -4], [better, worse])
        expected = stats.binom.sf(better - 1, better + worse, 0.5)
        assert randomization_p_value(sums) == pytest.approx(expected, rel=1e-9)


@st.composite
def two_arms(draw):
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    bits = st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    return tuple(np.array(draw(bits)).reshape(shape) for _ in range(2))


@given(two_arms(), st.integers(0, 2**31))
def test_what_it_says_fits_together(arms, seed):
    first, second = arms
    found = superiority(first, second, level=0.05)
    assert found.loss == pytest.approx(first.mean() - second.mean())
    assert 0 < found.p_value <= 1
    assert (found.seeds, found.examples, found.margin) == (*first.shape, 0.0)
    assert not (found.shown and found.loss >= 0)
    if found.shown:
        assert found.bound <= 0  # both tests have rejected, the t interval's too
    if len(first) == 1 or (first == second).all():
        assert found.p_value == 1
    rng = np.random.default_rng(seed)
    seeds, examples = rng.permutation(first.shape[0]), rng.permutation(first.shape[1])
    moved = superiority(first[seeds][:, examples], second[seeds][:, examples], level=0.05)
    assert moved.p_value == pytest.approx(found.p_value)
    assert moved.bound == pytest.approx(found.bound)


@given(two_arms())
def test_one_may_be_better_or_the_other_but_never_both(arms):
    one, other = superiority(*arms, level=0.4), superiority(*arms[::-1], level=0.4)
    assert not (one.shown and other.shown)


def test_where_only_examples_differ_it_is_the_t_interval_over_examples():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 400)) < [[0.8], [0.85]]
    found = superiority(np.tile(first, (4, 1)), np.tile(second, (4, 1)))
    each = first.astype(float) - second
    expected = each.mean() + stats.t.ppf(0.975, 399) * each.std(ddof=1) / 20
    assert found.bound == pytest.approx(expected)


def test_it_sees_what_is_clearly_better():
    rng = np.random.default_rng(1)
    first, second = rng.random((5, 500)) < 0.97, rng.random((5, 500)) < 0.99
    assert superiority(first, second).shown
    assert not superiority(second, first).shown


def test_few_examples_can_show_little():
    """Five that were gained, in every seed: 1 in 32, whatever the variance says."""
    first, second = np.ones((10, 300), bool), np.ones((10, 300), bool)
    first[:, :5] = False
    found = superiority(first, second, level=0.025)
    assert found.p_value == pytest.approx(1 / 32)
    assert found.p_value == pytest.approx(binomial_p_value(5, 5, 0.5))
    assert not found.shown


@pytest.mark.parametrize("seeds", [2, 3, 10])
@pytest.mark.parametrize("seed_std", [0.0, 0.02])
@pytest.mark.parametrize("same", [True, False])
def test_how_often_it_is_false(seeds, seed_std, same):
    """Arms alike, 300 examples, at 5 %: at most 38 of 500, which 5 % exceed in 1 of 200 counts."""
    rng = np.random.default_rng(seeds)
    false = 0
    for _ in range(500):
        u = np.broadcast_to(rng.random((1 if same else seeds, 300)), (seeds, 300))
        effect = seed_std * rng.standard_normal((seeds, 1))
        lost = u < 0.03 + np.maximum(0, effect)
        gained = u > 1 - 0.03 - np.maximum(0, -effect)
        false += superiority(~gained, ~lost, level=0.05).shown
    assert false <= 38


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.ones((2, 3), bool), np.ones((2, 4), bool)),
        (np.ones(3, bool), np.ones(3, bool)),
        (np.ones((2, 0), bool), np.ones((2, 0), bool)),
        (np.ones((2, 3)), np.ones((2, 3), bool)),
        (np.ones((2, 3), bool), np.ones((2, 3), int)),
    ],
)
def test_arrays_that_do_not_fit(first, second):
    with pytest.raises(curate.CurateError, match=r"^(first|second): .*\(seeds, test examples\)"):
        superiority(first, second)


@pytest.mark.parametrize("level", [0, 0.5, -1, float("nan")])
def test_levels_out_of_range(level):
    with pytest.raises(curate.CurateError, match="level"):
        superiority(np.ones((2, 3), bool), np.ones((2, 3), bool), level=level)


@settings(max_examples=20)
@given(st.integers(1, 40))
def test_many_examples_of_one_size_underflow_to_no_nonsense(count):
    p = randomization_p_value(np.full(100 * count, 2))
    assert 0 <= p < 1e-20
