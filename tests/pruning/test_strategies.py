"""Each strategy, by itself, against a slow one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.pruning import STRATEGIES, beta, ccs, moderate, window
from curate.pruning.registry import find_strategy
from curate.table import hash_ids
from tests.pruning import reference

SCORES = st.lists(
    st.one_of(
        st.integers(0, 4).map(float), st.floats(-5, 5, width=32), st.sampled_from([np.inf, -np.inf])
    ),
    max_size=60,
)


def ties(rows):
    return hash_ids(np.asarray(rows), seed=4)


@pytest.mark.parametrize("name", ["hardest", "easiest", "random", "moderate"])
@given(scores=SCORES, data=st.data())
def test_strategy_is_the_slow_one(name, scores, data):
    if name == "moderate":
        scores = [score for score in scores if score != -np.inf]  # no median of both infinities
    keep = data.draw(st.integers(0, len(scores)))
    mask = STRATEGIES[name].function(np.array(scores, float), keep, ties)
    hashes = ties(np.arange(len(scores))).tolist()
    assert set(np.flatnonzero(mask)) == reference.STRATEGIES[name](scores, hashes, keep)


@pytest.mark.parametrize("name", ["window", "ccs"])
@given(scores=SCORES, cut=st.sampled_from(["0", "0.1", "0.35"]), data=st.data())
def test_strategy_with_a_cut_is_the_slow_one(name, scores, cut, data):
    scores = [score for score in scores if score != -np.inf]
    option = STRATEGIES[name].cut
    options = {option: Fraction(cut)}
    if name == "ccs":
        options["strata"] = data.draw(st.sampled_from([1, 3, 50]))
    most = len(scores) - reference.half_up(Fraction(cut) * len(scores))
    keep = data.draw(st.integers(0, most))
    mask = STRATEGIES[name].function(np.array(scores, float), keep, ties, **options)
    hashes = ties(np.arange(len(scores))).tolist()
    expected = reference.STRATEGIES[name](scores, hashes, keep, **options)
    assert set(np.flatnonzero(mask)) == expected
    assert len(expected) == keep


@given(
    scores=SCORES,
    beta_c=st.sampled_from([0.5, 4.0, 11]),
    data=st.data(),
)
def test_beta_is_the_slow_one(scores, beta_c, data):
    size = len(scores)
    means = data.draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    keep = data.draw(st.integers(0, size))
    mask = beta(np.array(scores, float), keep, ties, np.array(means, float), beta_c)
    hashes = ties(np.arange(size)).tolist()
    assert set(np.flatnonzero(mask)) == reference.beta(scores, hashes, keep, means, beta_c)


def test_beta_draws_in_proportion_to_score_and_density():
    """One of five, over many seeds: as often as its weight says."""
    scores, means = np.array([0.0, 1.0, 1.0, 2.0, 4.0]), np.array([0.5, 0.2, 0.7, 0.7, 0.6])
    b = 15 * (1 - means.mean()) * (1 - 0.8**4)
    weights = scores * means ** (15 - b) * (1 - means) ** (b - 1)
    draws = 20_000
    counts = np.zeros(5)
    for seed in range(draws):
        counts += beta(scores, 1, lambda rows, seed=seed: hash_ids(rows, seed=seed), means)
    expected = draws * weights / weights.sum()
    assert counts[0] == 0
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected + 1)).all()


def test_the_less_is_kept_the_easier_is_what_beta_draws():
    rng = np.random.default_rng(0)
    means = rng.random(5000)
    scores = (1 - means) * rng.random(5000)
    kept = [means[beta(scores, keep, ties, means)].mean() for keep in (250, 1000, 2500)]
    assert kept == sorted(kept, reverse=True)


def test_beta_needs_no_confidence_of_every_row():
    means = np.array([np.nan, 0.5, 0.5, np.nan])
    assert np.flatnonzero(beta(np.ones(4), 2, ties, means)).tolist() == [1, 2]
    assert beta(np.ones(4), 3, ties, np.full(4, np.nan)).sum() == 3
    with pytest.raises(CurateError, match="beta_c: 0; give a number above 0"):
        beta(np.ones(4), 3, ties, means, 0)


def test_window_drops_the_hardest_first():
    scores = np.array([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    assert np.flatnonzero(window(scores, 3, ties, Fraction(1, 5))).tolist() == [2, 3, 4]


def test_moderate_keeps_the_middle():
    scores = np.array([0.0, 1.0, 5.0, 6.0, 7.0, 100.0, np.inf])
    assert np.flatnonzero(moderate(scores, 3, ties)).tolist() == [2, 3, 4]
    mostly = np.array([1.0, np.inf, np.inf, np.inf])
    assert np.flatnonzero(moderate(mostly, 3, ties)).tolist() == [1, 2, 3]


def test_ccs_covers_the_range_where_the_hardest_crowd():
    """A thousand easy examples and ten spread out: each of these has its own stratum."""
    scores = np.concatenate([np.zeros(1000), np.arange(1, 11) / 10])
    mask = ccs(scores, 20, ties, hard_cutoff=Fraction(0), strata=10)
    assert mask[1000:].all()
    assert mask[:1000].sum() == 10


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hard", {}, "'hard' is no strategy; choose one of hardest, easiest, random, window"),
        ("hardest", {"drop_hardest": 0.1}, "drop_hardest: the strategy 'hardest' does not take it"),
        ("ccs", {"beta": 0.1}, "beta: the strategy 'ccs' .* it takes hard_cutoff, strata"),
        ("window", {"drop_hardest": 1.0}, r"drop_hardest: 1\.0 is not in \[0, 1\)"),
        ("window", {"drop_hardest": "0.1"}, "drop_hardest: '0.1' is not a finite number"),
        ("ccs", {"hard_cutoff": -0.1}, "hard_cutoff: -0.1"),
    ],
)
def test_wrong_names_and_options_are_refused(name, options, message):
    with pytest.raises(CurateError, match=message):
        find_strategy(name, options)


@pytest.mark.parametrize("strata", [0, 2.5, True, "many"])
def test_strata_are_a_positive_integer(strata):
    with pytest.raises(CurateError, match="strata"):
        ccs(np.zeros(4), 1, ties, strata=strata)


@pytest.mark.parametrize("function", [window, ccs])
def test_a_cut_that_leaves_too_few_says_how_many(function):
    with pytest.raises(CurateError, match=r"hardest 0\.1 of 100 examples leaves 90, fewer than"):
        function(np.arange(100.0), 91, ties)
    assert function(np.arange(100.0), 90, ties).sum() == 90
