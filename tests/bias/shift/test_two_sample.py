"""What all tests share: input, degenerate sets, results."""

import numpy as np
import pytest
import torch

from curate.bias import (
    Source,
    classifier_two_sample,
    kolmogorov_smirnov,
    mmd,
    nearest_neighbour,
    two_sample,
)
from curate.errors import CurateError
from tests.bias.shift.simulation import alarm_share, band, normal

TESTS = [classifier_two_sample, mmd, kolmogorov_smirnov, nearest_neighbour]


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros(5), r"x: float64 of shape \(5,\)"),
        (np.zeros((5, 0)), r"shape \(5, 0\)"),
        (np.array([["a", "b"]] * 3), "x: <U1 of shape"),
        (np.zeros((1, 2)), "x: 1 examples; give at least 2"),
        (np.zeros((4, 3)), "y: 2 features per example where x has 3"),
        (np.array([[0, 1], [np.nan, 1], [0, 0]]), "x: feature 0 of example 1 is nan"),
        (np.array([[0, np.inf], [0, 1]]), "x: feature 1 of example 0 is inf"),
        (np.full((2, 2), 1.7e308), "overflows"),
        (Source("s", np.arange(2), pixels=torch.zeros(2, 1, 4, 4)), "has images, not features"),
    ],
)
def test_bad_input(test, x, words):
    with pytest.raises(CurateError, match=words):
        test(x, np.zeros((6, 2)))


@pytest.mark.parametrize("test", TESTS)
def test_all_kinds_of_input_are_alike(test, tmp_path):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(60, 3)).astype(np.float32) for _ in range(2))
    np.save(tmp_path / "x.npy", x)
    expected = test(x, y)
    for given in (
        torch.from_numpy(x),
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        Source("s", np.arange(60), features=x),
        x.tolist(),
        x.astype(np.float64),
    ):
        found = test(given, y)
        assert found.statistic == pytest.approx(expected.statistic, abs=1e-6)
        assert found.p_value == pytest.approx(expected.p_value)


@pytest.mark.parametrize("test", TESTS)
def test_constant_features_differ_in_nothing(test):
    result = test(np.full((40, 3), 0.1), np.full((30, 3), 0.1))
    assert result.p_value > 0.05


@pytest.mark.parametrize("test", TESTS)
def test_two_constants_differ(test):
    result = test(np.full((40, 2), 0.1), np.full((30, 2), 0.2))
    assert result.p_value < 0.01


@pytest.mark.parametrize("test", TESTS)
def test_a_constant_feature_beside_others_changes_nothing(test):
    x, y = normal(80, 80, 2, shift=2)(np.random.default_rng(0))
    constant = np.full((80, 1), 1e6)
    assert test(np.hstack([x, constant]), np.hstack([y, constant])).p_value < 0.01


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("scale", [1e-20, 1e30])
def test_units_do_not_matter(test, scale):
    x, y = normal(50, 40, 3, shift=0.5)(np.random.default_rng(0))
    assert test(x * scale, y * scale).p_value == pytest.approx(test(x, y).p_value, abs=0.01)


@pytest.mark.parametrize("test", TESTS)
def test_the_least_sets(test):
    result = test(np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]]))
    assert 0 < result.p_value <= 1
    assert (result.n, result.m) == (2, 2)


@pytest.mark.parametrize("test", [*TESTS, two_sample])
def test_same_seed_same_answer(test):
    x, y = normal(70, 50, 3, shift=0.3)(np.random.default_rng(0))
    assert test(x, y).table.equals(test(x, y).table)


@pytest.mark.parametrize("test", TESTS)
def test_a_result_says_all(test):
    x, y = normal(70, 50, 3)(np.random.default_rng(0))
    result = test(x, y)
    row = result.table.to_pylist()[0]
    assert row["test"] == result.test
    assert row["smallest"] == result.power.smallest
    assert row["power_basis"].startswith(("theory", "simulation"))
    for part in (result.test, result.method, "80 % power", "70 and 50 examples"):
        assert part in str(result)


def test_all_at_once():
    x, y = normal(120, 100, 4, shift=1.0)(np.random.default_rng(0))
    result = two_sample(x, y, permutations=199)
    singles = [
        test(x, y) if test in (TESTS[0], TESTS[2]) else test(x, y, permutations=199)
        for test in TESTS
    ]
    assert result.table["p_value"].to_pylist() == [single.p_value for single in singles]
    assert (
        result.p_value
        == min(result.adjusted)
        == pytest.approx(4 * min(single.p_value for single in singles))
    )
    assert result.table["p_holm"].to_pylist() == list(result.adjusted)
    assert "Holm" in str(result)
    assert all(single.test in str(result) for single in singles)


def test_false_alarms_of_all_at_once():
    """Below 5 %: the four tests see much the same, and Holm's correction does not know."""
    assert alarm_share(two_sample, normal(40, 40, 2), 60, permutations=99) <= band(0.05, 60)[1]
