"""The packed word against its definition, field by field."""

from itertools import pairwise

import pytest
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


@pytest.mark.parametrize("repeats", [False, True])
def test_a_large_batch_is_its_parts_one_after_the_other(repeats, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    rows = torch.arange(50) if not repeats else torch.randint(0, 20, (50,), generator=generator)
    right = torch.rand(50, generator=generator) < 0.5
    outcome = Outcome(
        right, torch.ones_like(right), torch.randint(0, 9, (50,), generator=generator)
    )
    names = ("loss", "margin", "confidence", "el2n")
    statistics = {name: torch.rand(50, generator=generator) for name in names}
    states = []
    for at_once in (1 << 16, 7, 1):
        monkeypatch.setattr("curate.record.state._AT_ONCE", at_once)
        states.append(State.empty(50, torch.device("cpu"), True, False))
        accumulate(states[-1], rows, outcome, statistics)
    for state in states[1:]:
        assert torch.equal(state.packed, states[0].packed)
        torch.testing.assert_close(state.sums[:-1], states[0].sums[:-1], rtol=1e-12, atol=1e-12)
