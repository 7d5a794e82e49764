"""Which candidates a search has."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate.experiment import Candidate
from curate.experiment.search.candidates import candidates_for, distinct
from curate.scores import SCORES
from tests.example_tables import example_table


def with_all_columns(runs):
    """A table that every score can be taken from."""
    table = example_table(rows=60, runs=runs, never_learned=0.0)
    rng = np.random.default_rng(1)
    for entry in SCORES.values():
        for name in (*entry.columns, *(entry.columns_if_merged if runs > 1 else ())):
            if name not in table.column_names:
                table = table.append_column(name, pa.array(rng.random(60)))
    return table


@pytest.mark.parametrize("runs", [1, 3])
def test_every_score_but_random_is_a_candidate_and_none_twice(runs):
    found = candidates_for(with_all_columns(runs), "auto")
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    alone = {one.by for one in found if one.strategy == "hardest"}
    assert alone == set(SCORES) - {"random"}
    assert names[0] == "aum"
    arms = [one.arm(30) for one in found]
    assert len(set(arms)) == len(arms)


def test_scores_without_their_columns_are_none():
    table = with_all_columns(3)
    kept = [name for name in table.column_names if name != "margin_mean"]
    missing = {name for name, entry in SCORES.items() if "margin_mean" in entry.columns}
    found = {one.by for one in candidates_for(table.select(kept), "auto")}
    assert missing
    assert found == set(SCORES) - {"random"} - missing


@pytest.mark.parametrize("runs", [1, 3])
def test_every_candidate_can_select(runs):
    table = with_all_columns(runs)
    for one in candidates_for(table, "auto"):
        assert len(one.select(table, 0.5, "label")) == 30


def masks_of(candidates, table, keep):
    return [one.select(table, keep, None).table["kept"].to_numpy() for one in candidates]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.3, 0.9]), st.integers(1, 8))
def test_distinct_candidates_differ_in_a_twentieth(seed, keep, most):
    rng = np.random.default_rng(seed)
    table = example_table(rows=100)
    base = rng.random(100)
    arrays = [base + noise * rng.random(100) for noise in (0, 0, 1e-9, 0.01, 0.1, 1, 10)]
    given_to = [Candidate(array) for array in arrays]
    chosen = distinct(given_to, table, keep, None, most)
    assert 1 <= len(chosen) <= most
    assert chosen[0] is given_to[0]
    masks = masks_of(chosen, table, keep)
    size = masks[0].sum()
    for number, mask in enumerate(masks):
        assert all((mask & other).sum() < 0.95 * size for other in masks[:number])
    if most > len(chosen):  # none is left out that differs from all
        for mask in masks_of(given_to, table, keep):
            assert any((mask & other).sum() >= 0.95 * size for other in masks)


def test_one_that_cannot_rank_is_left_out_unless_it_is_the_only_one():
    table = example_table(rows=50)
    bad, good = Candidate(np.full(50, np.nan)), Candidate("aum")
    assert distinct([bad, good], table, 0.5, None, 5) == [good]
    with pytest.raises(curate.CurateError):
        distinct([bad], table, 0.5, None, 5)
