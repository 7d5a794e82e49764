"""Each strategy, by itself, against a slow one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.pruning import STRATEGIES, ccs, moderate, window
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
