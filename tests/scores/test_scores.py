"""Every score against a reference that goes row by row."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.scores import SCORES, never_learned, score, unforgettable
from tests.example_tables import example_table

NAN, INF = math.nan, math.inf


def slow_forgetting(row):
    if row["presentations"] == 0:
        return NAN
    runs = row.get("runs", 1)
    learned = row.get("runs_learned", int(row["first_learned"] is not None))
    return row["forgetting_events"] if learned == runs else INF


def slow_first_learned(row):
    if row["presentations"] == 0:
        return NAN
    return INF if row["first_learned"] is None else row["first_learned"]


def slow(name, sign=1):
    return lambda row: NAN if row[name] is None else sign * row[name]


SLOW = {
    "forgetting": slow_forgetting,
    "first_learned": slow_first_learned,
    "aum": slow("margin_mean", -1),
    "el2n": slow("el2n_mean"),
    "confidence": slow("confidence_mean", -1),
    "variability": slow("confidence_std"),
    "loss": slow("loss_mean"),
    "margin": slow("margin_last", -1),
}


@pytest.mark.parametrize("name", SLOW)
@given(
    rows=st.integers(0, 40),
    seed=st.integers(0, 5),
    runs=st.sampled_from([1, 3]),
    never_presented=st.sampled_from([0.0, 0.3, 1.0]),
    never_learned=st.sampled_from([0.0, 0.4, 1.0]),
    cut=st.integers(0, 40),
)
def test_score_is_that_of_each_row(name, rows, seed, runs, never_presented, never_learned, cut):
    table = example_table(
        rows, seed, runs=runs, never_presented=never_presented, never_learned=never_learned
    )
    expected = np.array([SLOW[name](row) for row in table.to_pylist()], np.float64)
    found = score(table, name)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
    chunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    np.testing.assert_array_equal(score(chunked, name), expected)


def test_high_is_hard():
    """A hard example and an easy one, in the papers' own statistics."""
    table = pa.table(
        {
            "example_id": [0, 1],
            "presentations": pa.array([9, 9], pa.int32()),
            "forgetting_events": pa.array([5, 0], pa.int32()),
            "first_learned": pa.array([7, 1], pa.int32()),
            "margin_mean": [-1.0, 4.0],
            "margin_last": [-1.0, 4.0],
            "el2n_mean": [1.2, 0.1],
            "confidence_mean": [0.2, 0.9],
            "confidence_std": [0.4, 0.01],
            "loss_mean": [2.0, 0.1],
            "grand": [3.0, 0.2],
            "dual": [0.2, 0.01],
            "dyn_unc": [0.3, 0.01],
            "tdds": [0.5, 0.01],
            "cross_fitted_margin": [-1.0, 4.0],
            "cross_fitted_confidence": [0.2, 0.9],
            "cross_fitted_el2n": [1.2, 0.1],
            "label_margin": [-1.0, 4.0],
        }
    )
    for name in set(SCORES) - {"random", "mislabel"}:
        hard, easy = score(table, name)
        assert hard > easy, name
    doubtful, right = score(table, "mislabel")  # high = the label is likely right, to be kept
    assert doubtful < right


def test_random_depends_on_id_and_seed_alone():
    table = example_table(2000)
    first = score(table, "random", seed=1)
    assert ((first >= 0) & (first < 1)).all()
    assert abs(first.mean() - 0.5) < 0.05
    order = np.random.default_rng(0).permutation(2000)
    np.testing.assert_array_equal(score(table.take(order), "random", seed=1), first[order])
    assert abs(np.corrcoef(first, score(table, "random", seed=2))[0, 1]) < 0.1


def test_scoring_leaves_the_table_as_it_was():
    table = example_table(50)
    before = table.to_pydict()
    there = set(table.column_names)
    for name in SCORES:
        if not set(SCORES[name].columns) <= there:
            continue
        score(table, name)[:] = 7
    assert table.to_pydict() == before


@pytest.mark.parametrize("runs", [1, 3])
def test_unforgettable_is_learned_in_every_run_and_never_forgotten(runs):
    table = example_table(300, runs=runs, never_presented=0.2, never_learned=0.3)
    rows = table.to_pylist()
    expected = [
        row["presentations"] > 0
        and row.get("runs_learned", row["first_learned"] is not None) == row.get("runs", 1)
        and row["forgetting_events"] == 0
        for row in rows
    ]
    assert unforgettable(table).tolist() == expected
    assert 0 < sum(expected) < 300
    assert never_learned(table).tolist() == [
        row["presentations"] > 0 and row["first_learned"] is None for row in rows
    ]


def test_a_column_that_is_missing_is_named_with_the_mend():
    table = example_table(5).select(["example_id", "label", "presentations", "forgetting_events"])
    with pytest.raises(CurateError, match=r"'el2n_mean'.*track=\"all\""):
        score(table, "el2n")
    with pytest.raises(CurateError, match="'first_learned'"):
        score(table, "forgetting")
    with pytest.raises(CurateError, match=r"curate\.scores\.grand"):
        score(table, "grand")


def test_an_unknown_score_lists_those_there_are():
    with pytest.raises(CurateError, match=r"'el2'.*forgetting.*el2n"):
        score(example_table(5), "el2")


def test_a_column_of_text_is_no_score():
    table = pa.table({"example_id": [1], "el2n_mean": ["high"]})
    with pytest.raises(CurateError, match="'el2n_mean' is of type string"):
        score(table, "el2n")


def test_a_column_of_nulls_is_not_known():
    table = pa.table({"example_id": [1, 2], "el2n_mean": pa.nulls(2)})
    assert np.isnan(score(table, "el2n")).all()
