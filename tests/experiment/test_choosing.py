"""The search as pure logic: what it tries, what it keeps, and what it may spend."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.experiment import Candidate
from curate.experiment.search.choosing import SEEDS, SIZES, Search, choose, middle
from curate.experiment.search.on_validation import certifying_cost, counts_around

NAMES = "abcdefghijkl"
losses_at = st.dictionaries(st.sampled_from(SIZES), st.floats(-0.05, 0.05))


def budget_of(seeds, protocol, total=1000):
    """Half of what certifying takes, so that choosing is a third of all."""
    return lambda size: certifying_cost(counts_around(size, total), total, seeds, protocol) / 2


def run(candidates, loss, *, sizes=SIZES, budget=lambda size: 1e9, spent=0.0, cost=None):
    """A search in which ``loss(name, size, seed)`` is what a model loses: choice, spent, tries."""
    tries = Counter()
    cost = cost or (lambda size: size)

    def evaluate(asked, seed):
        found = [loss(one.name, size, seed) for one, size in asked]
        tries.update(
            (one.name, size)
            for (one, size), lost in zip(asked, found, strict=True)
            if lost is not None
        )
        return found

    search = Search(evaluate, cost, spent)
    choice = choose([Candidate(name) for name in candidates], sizes, 0.005, search, budget)
    paid = spent + sum(cost(size) * count for (_, size), count in tries.items())
    assert search.spent == pytest.approx(paid)
    table = {(row["candidate"], row["share"]): row["seeds"] for row in choice.table.to_pylist()}
    assert table == dict(tries)
    return choice, paid, tries


@given(
    st.integers(1, 12),
    st.integers(2, 10),
    st.sampled_from(["epochs", "steps"]),
    st.integers(0, 3),
    st.randoms(),
    st.floats(0, 0.3),
    st.floats(-0.03, 0.03),
)
def test_it_never_spends_more_than_half_of_the_certificate_it_chooses(
    count, seeds, protocol, recorded, random, out_of_time, level
):
    budget = budget_of(seeds, protocol)
    cost = (lambda size: 0.8 * size) if protocol == "epochs" else (lambda size: 0.8)

    def loss(name, size, seed):
        return None if random.random() < out_of_time else level + random.gauss(0, 0.02)

    spent = min(0.8 * recorded, budget(0.3))
    choice, paid, _ = run(NAMES[:count], loss, budget=budget, cost=cost, spent=spent)
    assert paid <= budget(choice.size) + 1e-9


@given(st.permutations(NAMES), st.integers(1, 12), st.sampled_from([(0.3,), (0.05,), SIZES]))
def test_halving_keeps_the_best(order, count, sizes):
    """Each candidate loses its own amount with every seed, too much to go on to smaller sizes."""
    lost = {name: 0.01 * (1 + number) for number, name in enumerate(order)}
    choice, _, tries = run(NAMES[:count], lambda name, size, seed: lost[name], sizes=sizes)
    assert choice.candidate.name == min(NAMES[:count], key=lost.get)
    start = middle(sizes)
    rungs = Counter(tries[name, start] for name in NAMES[:count])
    half = -(-count // 2)
    quarter = -(-half // 2)
    assert rungs == +Counter({1: count - half, 2: half - quarter, 3: quarter})


@given(st.lists(st.floats(-0.01, 0.02), min_size=len(SIZES), max_size=len(SIZES)))
def test_sizes_go_down_while_they_do_and_up_until_one_does(lost):
    at = dict(zip(SIZES, lost, strict=True))
    choice, _, tries = run("ab", lambda name, size, seed: at[size] + 0.001 * (name == "b"))
    start = SIZES.index(0.3)
    if lost[start] <= 0.005:
        expected = start
        while expected + 1 < len(SIZES) and lost[expected + 1] <= 0.005:
            expected += 1
    else:
        expected = next((i for i in range(start, -1, -1) if lost[i] <= 0.005), 0)
    assert choice.size == SIZES[expected]
    assert choice.candidate.name == "a"
    assert tries["a", choice.size] == SEEDS


@given(st.integers(1, 8), st.integers(0, 40), st.randoms())
def test_time_that_runs_out_is_no_error(count, until, random):
    """After so many models there is time for none."""
    left = [until]

    def loss(name, size, seed):
        left[0] -= 1
        return random.gauss(0, 0.01) if left[0] >= 0 else None

    choice, _, tries = run(NAMES[:count], loss)
    if until == 0:
        assert choice.candidate is None
    else:
        assert tries[choice.candidate.name, choice.size] >= 1
    assert sum(tries.values()) <= until


def test_where_nothing_can_be_afforded_the_first_is_taken():
    choice, paid, tries = run("ab", lambda *tried: 0.0, budget=lambda size: 1.0, spent=0.9)
    assert (choice.candidate.name, choice.size) == ("a", 0.3)
    assert not tries
    assert paid == 0.9


def test_one_candidate_at_one_size_is_that():
    choice, _, tries = run("a", lambda *tried: 0.4, sizes=(0.1,))
    assert (choice.candidate.name, choice.size) == ("a", 0.1)
    assert tries == {("a", 0.1): SEEDS}


def test_each_model_of_a_candidate_has_another_seed():
    seen = []

    def loss(name, size, seed):
        seen.append((name, size, seed))
        return 0.001 * seed

    run("abcd", loss)
    assert len(seen) == len(set(seen))
    assert {seed for _, _, seed in seen} == {0, 1, 2}
