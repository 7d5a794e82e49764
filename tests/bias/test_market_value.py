"""Market value: known shifts of known curves, and sources of which the worth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from curate.bias import market_value
from curate.bias.market.curve_shift import rising, shift
from curate.errors import CurateError
from tests.bias.worlds import world

SIZES = np.array([10, 20, 40, 80, 160, 320, 640])


def straight(sizes, worth):
    """A curve that rises evenly on the log axis, of examples worth ``worth`` own ones."""
    return 0.1 + 0.1 * np.log2(np.asarray(sizes) * worth / 10)


@given(st.floats(0.05, 20))
def test_the_shift_of_a_curve_is_found(worth):
    value, reason = shift(SIZES, straight(SIZES, 1), SIZES, straight(SIZES, worth))
    assert reason == ""
    assert value == pytest.approx(worth, rel=1e-6)


@given(st.floats(0.1, 10))
def test_exchange_works_both_ways(worth):
    one, other = straight(SIZES, 1), straight(SIZES, worth)
    there, back = shift(SIZES, one, SIZES, other)[0], shift(SIZES, other, SIZES, one)[0]
    assert there * back == pytest.approx(1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_rising_is_the_nearest_rising_curve(curve):
    found = rising(np.array(curve))
    assert (np.diff(found) >= 0).all()
    assert found == pytest.approx(isotonic_regression(curve), abs=1e-9)


def test_curves_that_do_not_meet_have_no_value():
    low, high = np.linspace(0.1, 0.2, 7), np.linspace(0.5, 0.9, 7)
    value, reason = shift(SIZES, high, SIZES, low)
    assert value is None
    assert "worth less than 0.016" in reason  # 10 / 640
    value, reason = shift(SIZES, low, SIZES, high)
    assert value is None
    assert "worth more than 64" in reason
    value, reason = shift(SIZES, np.full(7, 0.5), SIZES, np.full(7, 0.5))
    assert value is None
    assert "too little" in reason


def test_alike_sources_are_worth_one_and_noise_is_worth_nothing():
    nothing = world("noise", 600, seed=3, noise=100.0)
    sources = [world("a", 600, seed=1), world("b", 600, seed=2), nothing]
    result = market_value(sources, market="a", seeds=6)
    rows = {row["source"]: row for row in result.table.to_pylist()}
    assert rows["a"]["value"] == 1
    assert rows["b"]["low"] < 1 < rows["b"]["high"]
    assert rows["b"]["value"] == pytest.approx(1, abs=0.35)
    assert rows["noise"]["value"] is None or rows["noise"]["value"] < 0.1
    assert rows["noise"]["reason"] or rows["noise"]["value"] is not None
    baskets = {row["source"]: row for row in result.baskets.to_pylist()}
    assert baskets["b"]["value"] == rows["b"]["value"]
    assert baskets["a"] == {"source": "a", "value": None, "low": None, "high": None, "markets": 0}
    assert "basket" in str(result)


def test_a_wider_source_is_worth_less():
    clean, wide = world("clean", 800, seed=1), world("wide", 800, seed=2, noise=2.5)
    row = market_value([clean, wide], market="clean", seeds=5).table.to_pylist()[1]
    assert row["high"] < 1


def test_curves_and_sizes():
    sources = [world("a", 100, seed=1), world("b", 300, seed=2)]
    result = market_value(sources, seeds=3)
    assert result.sizes == ((4, 8, 16, 32, 64, 70), (4, 8, 16, 32, 64, 128, 210))
    assert result.scores[1].shape == (3, 7, 2)
    curves = result.curves.to_pylist()
    assert len(curves) == 2 * 13
    first = curves[0]
    assert first["mean"] == pytest.approx(result.scores[0][:, 0, 0].mean())
    assert first["low"] <= first["mean"] <= first["high"]
    again = market_value(sources, seeds=3)
    assert again.table.equals(result.table)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"market": "c"}, "market: 'c' is none"),
        ({"seeds": 1}, "seeds: 1"),
        ({"sizes": [8, 4]}, "ascending"),
        ({"sizes": [8, 9000]}, "fewer than two"),
        ({"task": "x"}, "task: 'x'"),
    ],
)
def test_bad_input(options, words):
    with pytest.raises(CurateError, match=words):
        market_value([world("a", 60), world("b", 60)], **options)
