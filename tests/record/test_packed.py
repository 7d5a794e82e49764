"""The packed word against its definition, field by field."""

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from curate.record.outcomes import Outcome
from curate.record.packed import counts_of, transition, unpack
from curate.record.state import State, accumulate

PRESENTATIONS = st.lists(st.tuples(st.booleans(), st.integers(0, 0xFFFF)), min_size=1, max_size=30)


@given(PRESENTATIONS)
def test_every_field_is_what_was_presented(presentations):
    word = torch.zeros(1, dtype=torch.int64)
    for correct, code in presentations:
        last, last_code, seen, unlearned = unpack(word)
        one, label = torch.tensor([int(correct)]), torch.tensor([code])
        word = word + transition(one, label, last, last_code, seen, unlearned)
    outcomes = [correct for correct, _ in presentations]
    pairs = list(pairwise(outcomes))
    counts = counts_of(word.numpy())
    assert counts.presentations == len(outcomes)
    assert counts.forgetting_events == sum(a and not b for a, b in pairs)
    assert counts.learning_events == sum(b and not a for a, b in pairs)
    assert counts.first_learned == (outcomes.index(True) + 1 if any(outcomes) else 0)
    assert counts.label_code == presentations[-1][1]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_asking_whether_rows_are_unique_leaves_the_state_alone(rows):
    state = State.empty(20, torch.device("cpu"), True, False)
    state.packed += torch.arange(21)
    before = state.packed.clone()
    assert state.are_unique(torch.tensor(rows)) == (len(set(rows)) == len(rows))
    assert torch.equal(state.packed, before)


def test_more_rows_than_the_scratch_counts_are_sorted():
    rows = torch.arange(70_000)
    state = State.empty(70_000, torch.device("cpu"), False, False)
    assert not state.are_unique(rows)
    right = torch.ones(70_000, dtype=torch.bool)
    accumulate(state, rows, Outcome(right, right, torch.ones(70_000, dtype=torch.int64)), None)
    assert (counts_of(state.packed[:-1].numpy()).presentations == np.ones(70_000)).all()
