"""Certificates against Clopper-Pearson, against drawing, and in simulated worlds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import curate
from curate.stats import (
    Certificate,
    better_than_guessing,
    certificate,
    clopper_pearson,
    look_level,
)
from curate.stats._certificate import sufficient
from curate.stats.gaffke import SeedNoise, p_value, upper_bound

NONE = SeedNoise(0.0, 0.0, 1)


def drawn_p_value(first, second, margin, draws, rng):
    """The definition in the docstring, by drawing; and its standard error."""
    each = first.astype(float) - second.astype(float)
    seeds, examples = each.shape
    x = np.append(each.mean(0), 1.0)
    sums = rng.exponential(size=(draws, examples + 1)) @ (x - margin)
    by_seed = each.mean(1)
    rest = each - each.mean(0) - by_seed[:, None] + each.mean()
    of_rest = (rest**2).sum() / ((seeds - 1) * (examples - 1)) / each.size
    of_seeds = ((by_seed - each.mean()) ** 2).sum() / seeds
    variance = np.maximum(0, of_seeds / rng.chisquare(seeds - 1, draws) - of_rest)
    sums += (examples + 1) * np.sqrt(variance) * rng.standard_normal(draws)
    share = (sums >= 0).mean()
    return share, math.sqrt(max(share * (1 - share), 1e-4) / draws)


def world(rng, seeds, examples, lost, gained, same=False, seed_std=0.0):
    """Losses and gains of the given chances, the same in every seed or fresh in each."""
    u = np.broadcast_to(rng.random((1 if same else seeds, examples)), (seeds, examples))
    effect = seed_std * rng.standard_normal((seeds, 1))
    loses = u < np.clip(lost + effect, 0, 1)
    wins = u > 1 - np.clip(gained - np.minimum(0, lost + effect), 0, 1)
    return ~wins, ~loses


@pytest.mark.parametrize("examples", [1, 2, 12, 300, 10_000, 1_000_000])
def test_losses_that_are_the_same_in_every_seed_have_the_bound_of_clopper_pearson(examples):
    """To 1e-8, of the bound and of the p-value."""
    for lost in sorted({0, 1, examples // 100, examples // 2, examples - 1, examples}):
        counts = np.array([examples - lost, lost + 1])
        values = np.array([0.0, 1.0])[counts > 0]
        for level in (0.05, 0.01):
            expected = clopper_pearson(lost, examples, 1 - 2 * level)[1]
            assert upper_bound(values, counts[counts > 0], NONE, level) == pytest.approx(
                expected, abs=1e-8
            )
            if 0 < expected < 1:
                assert p_value(values, counts, NONE, expected) == pytest.approx(level, abs=1e-8)


def test_a_certificate_of_equal_losses_is_that_of_one_model():
    second = np.arange(500) >= 4
    found = certificate(np.ones((5, 500), bool), np.tile(second, (5, 1)), margin=0.02)
    assert found.loss == pytest.approx(4 / 500)
    assert found.bound == pytest.approx(clopper_pearson(4, 500, 0.9)[1], abs=1e-8)
    assert found.p_value == pytest.approx(stats.binom.cdf(4, 500, 0.02), abs=1e-8)
    assert found.shown
    assert (found.seeds, found.examples, found.margin, found.level) == (5, 500, 0.02, 0.05)


@pytest.mark.parametrize("seeds", [2, 3, 10])
@pytest.mark.parametrize("seed_std", [0.0, 0.1])
def test_the_p_value_is_the_drawn_one(seeds, seed_std):
    """200,000 draws; within 4.5 standard errors each."""
    rng = np.random.default_rng(seeds)
    for examples in (2, 12, 60):
        first, second = world(rng, seeds, examples, 0.15, 0.1, seed_std=seed_std)
        for margin in (-0.05, 0.0, 0.1, 0.3):
            drawn, error = drawn_p_value(first, second, margin, 200_000, rng)
            if margin > (first * 1.0 - second).mean(0).min():
                found = certificate(first, second, margin=margin).p_value
                assert abs(found - drawn) < 4.5 * error


def test_where_only_the_seeds_differ_it_is_students_t_over_seeds():
    """One arm shifted by a seed effect over very many examples: nearly no noise of examples."""
    rng = np.random.default_rng(0)
    lost = np.array([0.010, 0.014, 0.012, 0.019, 0.011])
    second = rng.permuted(np.arange(100_000) >= 100_000 * lost[:, None], axis=1)
    found = certificate(np.ones_like(second), second)
    expected = lost.mean() + stats.t.ppf(0.95, 4) * lost.std(ddof=1) / math.sqrt(5)
    assert found.bound == pytest.approx(expected, rel=0.02)


@st.composite
def arms(draw):
    seeds, examples = draw(st.integers(2, 5)), draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.tuples(*[st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0])] * 2))
    return tuple(rng.random((seeds, examples)) < chance for chance in share)


@given(arms(), st.floats(-1, 1), st.floats(-1, 1), st.floats(0.001, 0.3), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_whatever_the_answers_are(pair, margin, other, level, seed):
    first, second = pair
    found = certificate(first, second, margin=margin, level=level)
    assert 0 <= found.p_value <= 1
    assert -1 <= found.loss < found.bound or found.loss == found.bound == 1
    assert found.bound <= 1
    if abs(found.bound - margin) > 1e-6:
        assert found.shown == (found.bound < margin)
    lax = certificate(first, second, margin=max(margin, other), level=level)
    assert lax.p_value <= found.p_value + 1e-9  # more loss allowed, easier to show
    assert lax.bound == found.bound
    assert certificate(first, second, margin=margin, level=level / 2).bound >= found.bound - 1e-9
    rng = np.random.default_rng(seed)
    order, seeds = rng.permutation(first.shape[1]), rng.permutation(len(first))
    shuffled = certificate(first[seeds][:, order], second[seeds][:, order], margin=margin)
    assert shuffled == certificate(first, second, margin=margin)


@given(arms())
@settings(max_examples=20, deadline=None)
def test_both_ways_cannot_be_shown(pair):
    first, second = pair
    there, back = certificate(first, second), certificate(second, first)
    assert there.loss == -back.loss
    assert -back.bound < there.bound  # the two-sided interval is not empty
    assert not (there.shown and back.shown)


@pytest.mark.parametrize("examples", [1, 12, 500])
def test_all_lost_and_all_gained(examples):
    all_right = np.ones((3, examples), bool)
    lost = certificate(all_right, ~all_right, margin=0.9)
    assert (lost.loss, lost.bound, lost.p_value, lost.shown) == (1, 1, 1, False)
    gained = certificate(~all_right, all_right, margin=-0.5)
    assert gained.loss == -1
    assert gained.bound == pytest.approx(1 - 2 * 0.05 ** (1 / examples), abs=1e-8)
    assert gained.shown == (examples >= 12)


def test_one_seed_shows_nothing():
    right = np.ones((1, 10_000), bool)
    found = certificate(right, right, margin=0.5)
    assert (found.bound, found.p_value, found.shown) == (1, 1, False)
    assert not certificate(right, right, margin=1).shown


def test_millions_of_answers_are_no_trouble():
    rng = np.random.default_rng(0)
    first, second = world(rng, 3, 1_000_000, 0.02, 0.02)
    found = certificate(first, second, margin=0.003)
    error = math.sqrt(0.04 / 3 / 1_000_000)
    assert found.bound == pytest.approx(found.loss + 1.645 * error, abs=4 * error)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(
    ("seeds", "examples", "lost", "gained", "seed_std"),
    [
        (5, 500, 0.01, 0.0, 0.0),
        (5, 100, 0.01, 0.0, 0.0),
        (3, 300, 0.03, 0.02, 0.0),
        (2, 300, 0.015, 0.005, 0.02),
        (5, 300, 0.02, 0.01, 0.02),
        (10, 12, 0.1, 0.09, 0.0),
    ],
)
def test_false_certificates_stay_at_the_level(seeds, examples, lost, gained, seed_std, same):
    """The true loss is the margin. 400 worlds: 5 % plus three standard errors is 33 of them."""
    rng = np.random.default_rng(7)
    false = 0
    for _ in range(400):
        first, second = world(rng, seeds, examples, lost, gained, same, seed_std)
        each = first.astype(np.int8) - second
        false += p_value(*sufficient(each), lost - gained) <= 0.05
    assert false <= 33


def test_it_is_shown_where_nothing_is_lost():
    """100 worlds of 5 seeds and 2,000 examples of which 2 % differ: nearly always."""
    rng = np.random.default_rng(8)
    pairs = [world(rng, 5, 2000, 0.01, 0.01, same=k % 2 == 0) for k in range(100)]
    assert sum(certificate(*pair, margin=0.01).shown for pair in pairs) > 90


def test_the_levels_of_all_looks_sum_to_five_percent():
    assert look_level(1) == 0.04
    assert look_level(2) == 0.005
    assert sum(map(look_level, range(1, 60))) == pytest.approx(0.05)
    with pytest.raises(curate.CurateError, match="look: 0"):
        look_level(0)


def test_guessing_is_the_largest_class():
    labels = np.repeat([0, 1, 2], 4)
    assert better_than_guessing(np.tile(np.arange(12) > 0, (10, 1)), labels).shown
    assert not better_than_guessing(np.tile(labels == 2, (10, 1)), labels).shown
    unequal = np.repeat([3, 5], [9, 3])  # where guessing is right in 9 of 12
    found = better_than_guessing(np.tile(unequal == 3, (3, 1)), unequal)
    assert found.loss == 0
    assert not found.shown
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 500)
    assert better_than_guessing(rng.random((3, 500)) < 0.5, labels).shown
    assert not better_than_guessing(rng.random((3, 500)) < 1 / 3, labels).shown


def test_arms_that_cannot_be_compared():
    right = np.ones((3, 20), bool)
    for bad in (np.ones((3, 20)), right[0], right[:0], right[:, :0]):
        with pytest.raises(curate.CurateError, match="^first: "):
            certificate(bad, right)
        with pytest.raises(curate.CurateError, match="^second: "):
            certificate(right, bad)
    with pytest.raises(curate.CurateError, match="^second: shape"):
        certificate(right, right[:2])
    for margin in (1.5, math.nan):
        with pytest.raises(curate.CurateError, match="^margin: "):
            certificate(right, right, margin=margin)
    for level in (0, 0.5, math.nan):
        with pytest.raises(curate.CurateError, match="^level: "):
            certificate(right, right, level=level)
    for labels in (np.zeros(19, int), np.zeros(20)):
        with pytest.raises(curate.CurateError, match="^labels: "):
            better_than_guessing(right, labels)


def test_a_certificate_is_readable():
    found = certificate(np.ones((5, 500), bool), np.tile(np.arange(500) >= 1, (5, 1)), margin=0.01)
    assert repr(found) == "Certificate(loss=+0.0020 < 0.01 shown, p=0.04)"
    assert str(found) == (
        "loss +0.20 points, at worst +0.95 (95 % confidence, 5 seeds, 500 test examples)\n"
        "shown to be less than +1 points: p = 0.04"
    )
    assert found.table.to_pylist() == [
        {name: getattr(found, name) for name in found.table.column_names}
    ]
    assert isinstance(found, Certificate)
    assert found != 1
