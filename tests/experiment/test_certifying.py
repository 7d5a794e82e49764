"""The fixed sequence of sizes, on arrays of right and wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.experiment.search.certifying import Arms, in_sequence
from curate.experiment.training.run import Run
from curate.stats import certificate, look_level

ALL = np.ones((3, 400), bool)


def runs(right, not_finite=0):
    return [Run("arm", seed, one, 10, 0.0, None, not_finite) for seed, one in enumerate(right)]


def losing(points):
    right = ALL.copy()
    right[:, : 4 * points] = False
    return right


def arms(pruned, random=ALL, not_finite=0):
    return Arms(None, runs(ALL), runs(pruned), runs(random, not_finite))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_claims_end_with_the_first_size_that_is_not_shown(points, stop, may_claim):
    asked = []

    def trained():
        for lost in points:
            asked.append(lost)
            yield arms(losing(lost))

    found = list(in_sequence(trained(), 3, margin=0.01, level=0.05, may_claim=may_claim, stop=stop))
    shown = [certificate(ALL, losing(lost), margin=0.01).shown for lost in points]
    expected = [may_claim and all(shown[: number + 1]) for number in range(len(points))]
    if stop and not all(expected):
        expected = expected[: expected.index(False) + 1]
    assert [one.certified for one in found] == expected
    assert len(asked) == len(found)  # what is not asked for is not trained


def test_each_size_has_the_level_of_the_look_and_its_share_of_better_than_random():
    (one,) = in_sequence([arms(ALL, losing(5))], 3, margin=0.01, level=0.04)
    assert (one.as_good.level, one.as_good.margin) == (0.04, 0.01)
    assert one.better.level == pytest.approx(0.025 / 3)
    assert one.better_for_all.level == 0.05
    assert one.is_better
    assert not one.random_as_good.shown


def test_nothing_is_claimed_against_models_whose_logits_were_not_finite():
    (one,) = in_sequence([arms(ALL, losing(5), not_finite=20)], 3, margin=0.01, level=0.04)
    assert one.better.shown
    assert not one.is_better
    assert one.certified
    bad = Arms(None, runs(ALL), runs(ALL, 1), runs(losing(5)))
    (one,) = in_sequence([bad], 3, margin=0.01, level=0.04)
    assert one.as_good.shown
    assert not one.certified


def test_later_looks_have_less_for_both_families():
    (one,) = in_sequence([arms(ALL, losing(5))], 3, margin=0.01, level=look_level(3))
    assert one.as_good.level == 0.0025
    assert one.better.level == pytest.approx(0.025 / 3 / 16)
