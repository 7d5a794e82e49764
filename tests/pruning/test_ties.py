"""``ties="margin"``: equal scores are told apart by margin, and by the hash where that is equal."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.pruning import STRATEGIES, prune
from curate.pruning.top import refined
from tests.example_tables import example_table
from tests.pruning import reference

RANKING = [name for name, entry in STRATEGIES.items() if entry.ranks]
MARGINS = st.one_of(st.integers(-2, 2).map(float), st.sampled_from([None, math.inf, -math.inf]))


def with_margins(table, margins):
    place = table.column_names.index("margin_mean")
    return table.set_column(place, "margin_mean", pa.array(margins, pa.float64()))


@given(
    margins=st.lists(MARGINS, min_size=8, max_size=40),
    strategy=st.sampled_from(RANKING),
    keep=st.sampled_from([0.29, 0.5, 0.9, 1]),
    stratify=st.sampled_from([None, "label"]),
    seed=st.integers(0, 3),
)
def test_selection_is_the_slow_one(margins, strategy, keep, stratify, seed):
    """The slow one ranks pairs (events, minus margin): Python compares tuples as it should be."""
    table = with_margins(example_table(len(margins)), margins)
    never = table["first_learned"].is_null().to_pylist()
    events = table["forgetting_events"].to_pylist()
    pairs = [
        (math.inf if endless else count, -math.inf if margin is None else -margin)
        for count, endless, margin in zip(events, never, margins, strict=True)
    ]
    ladder = sorted(set(pairs))
    steps = [float(ladder.index(pair)) for pair in pairs]
    policy = {"keep": keep, "strategy": strategy, "stratify": stratify, "seed": seed}
    expected = reference.prune(table.to_pylist(), steps, by="forgetting", **policy)
    if expected is None:
        with pytest.raises(CurateError, match=r"change keep|lower"):
            prune(table, ties="margin", **policy)
        return
    chosen = prune(table, ties="margin", **policy)
    assert set(chosen.kept_ids.to_pylist()) == expected
    assert chosen.policy["ties"] == "margin"
    assert chosen.table["score"].equals(prune(table, 1.0).table["score"])  # the score stays


@given(
    scores=st.lists(st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 2.5, math.inf]), max_size=30),
    data=st.data(),
)
def test_ranks_are_in_the_order_of_pairs(scores, data):
    size = len(scores)
    margins = data.draw(st.lists(MARGINS, min_size=size, max_size=size))
    margins = [math.nan if margin is None else margin for margin in margins]
    ranks = refined(np.array(scores, float), np.array(margins, float))
    pairs = [
        (score, -math.inf if math.isnan(margin) else -margin)
        for score, margin in zip(scores, margins, strict=True)
    ]
    for i, one in enumerate(pairs):
        for j, other in enumerate(pairs):
            assert (one < other) == (ranks[i] < ranks[j])


@pytest.mark.parametrize("strategy", RANKING)
def test_without_ties_nothing_changes(strategy):
    table = example_table(200)
    drawn, told = (prune(table, 0.4, "aum", strategy, ties=ties) for ties in ("hash", "margin"))
    assert told.table.equals(drawn.table)
    assert "ties" not in drawn.policy
    assert told.policy == {**drawn.policy, "ties": "margin"}


def test_only_what_cuts_a_ranking_takes_it():
    for strategy in [*(set(STRATEGIES) - set(RANKING)), lambda scores, keep, ties: scores > 0]:
        with pytest.raises(
            CurateError, match=r"ties: 'margin' .* strategies hardest, easiest, win"
        ):
            prune(example_table(20), strategy=strategy, ties="margin")
    with pytest.raises(CurateError, match="ties: 'draw' is not a choice; give 'hash' or 'margin'"):
        prune(example_table(20), ties="draw")


def test_the_column_that_is_missing_is_named():
    table = example_table(20).drop_columns(["margin_mean"])
    with pytest.raises(CurateError, match="ties: 'margin' .* column 'margin_mean', which .* lacks"):
        prune(table, ties="margin")
