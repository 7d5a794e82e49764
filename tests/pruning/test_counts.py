from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.pruning.counts import class_counts, keep_fraction, round_half_up
from tests.pruning import reference


def count(keep, total):
    return round_half_up(keep_fraction(keep, total) * total)


@pytest.mark.parametrize(
    ("keep", "total", "expected"),
    [
        (0.7, 50_000, 35_000),
        (0.29, 100, 29),  # 0.29 * 100 is 28.999... in floating point
        (0.57, 100, 57),
        (0.1 + 0.2, 10, 3),
        (0.5, 5, 3),  # half up, where Python's round gives 2
        (0.05, 10, 1),
        (np.float32(0.7), 10, 7),
        (np.float64(0.7), 10, 7),
        (Decimal("0.7"), 50_000, 35_000),
        (Fraction(2, 3), 9, 6),
        (1, 50_000, 1),
        (1.0, 50_000, 50_000),
        (np.int64(7), 50_000, 7),
        (50_000, 50_000, 50_000),
    ],
)
def test_exact_count(keep, total, expected):
    assert count(keep, total) == expected


@given(st.integers(1, 10**12), st.integers(1, 9999))
def test_a_fraction_is_the_decimal_it_is_written_as(total, tenthousandths):
    written = Fraction(tenthousandths, 10_000)
    expected = reference.half_up(written * total)
    if expected:
        assert count(tenthousandths / 10_000, total) == expected


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (0, "keep: 0 of 100 rows; give a count from 1 to 100"),
        (101, "keep: 101 of 100 rows"),
        (-3, "keep: -3"),
        (0.0, "no fraction in"),
        (-0.1, "no fraction in"),
        (70.0, "write 70 for a count"),
        (float("nan"), "not a finite number"),
        (float("inf"), "not a finite number"),
        (True, "not a finite number"),
        ("0.7", "not a finite number"),
        (None, "not a finite number"),
        (0.001, "0.001 of 100 rows rounds to none"),
    ],
)
def test_a_count_that_cannot_be_is_refused(keep, message):
    with pytest.raises(CurateError, match=message):
        count(keep, 100)


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=30),
    st.one_of(
        st.fractions(Fraction(0), Fraction(1), max_denominator=1000),
        st.sampled_from([Fraction(7, 10), Fraction(1, 2), Fraction(1, 3)]),
    ),
)
def test_classes_get_their_share_rounded_and_the_total_is_exact(sizes, share):
    counts = class_counts(sizes, share)
    assert sum(counts) == reference.half_up(share * sum(sizes))
    assert counts == reference.class_counts(sizes, share)
    for size, kept in zip(sizes, counts, strict=True):
        assert abs(kept - share * size) < 1
        assert kept <= size


def test_small_classes_get_their_own_count_not_another_ones():
    assert class_counts([5000, 3, 10], Fraction(7, 10)) == [3500, 2, 7]
    assert class_counts([1, 1, 1, 1], Fraction(1, 2)) == [1, 1, 0, 0]
    assert class_counts([2, 10_000_000_000], Fraction(7, 10)) == [1, 7_000_000_000]
