"""Greedy coresets, against slow ones in exact arithmetic."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate.errors import CurateError
from curate.scores import _coresets, facility_location, herding, k_centre
from curate.table import hash_ids

METHODS = {"k_centre": k_centre, "herding": herding, "facility_location": facility_location}


def square(a, b):
    return sum((Fraction(x) - Fraction(y)) ** 2 for x, y in zip(a, b, strict=True))


def mean(rows):
    return [sum(map(Fraction, column)) / len(rows) for column in zip(*rows, strict=True)]


def slow_k_centre(rows, picks):
    if not picks:
        centre = mean(rows)
        return lambda i: square(rows[i], centre)
    return lambda i: -min(square(rows[i], rows[j]) for j in picks)


def slow_herding(rows, picks):
    centre = mean(rows)
    return lambda i: square(mean([rows[j] for j in [*picks, i]]), centre)


def slow_facility_location(rows, picks):
    """On one axis, where distances are whole."""
    return lambda i: sum(min(abs(row[0] - rows[j][0]) for j in [*picks, i]) for row in rows)


SLOW = {
    "k_centre": slow_k_centre,
    "herding": slow_herding,
    "facility_location": slow_facility_location,
}


def slow_picks(name, rows, ids, seed):
    """Every row in the order of its pick: the least cost, of equal ones the smaller hash."""
    hashes = hash_ids(np.asarray(ids), seed=seed).tolist()
    picks = []
    while len(picks) < len(rows):
        cost = SLOW[name](rows, picks)
        left = [i for i in range(len(rows)) if i not in picks]
        picks.append(min(left, key=lambda i: (cost(i), hashes[i])))
    return picks


def order_of(scores):
    return np.argsort(-scores, kind="stable").tolist()


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=40)
@given(data=st.data())
def test_picks_are_the_slow_ones(name, data):
    width = 1 if name == "facility_location" else data.draw(st.integers(1, 3))
    row = st.lists(st.integers(-4, 4), min_size=width, max_size=width)
    rows = data.draw(st.lists(row, min_size=1, max_size=14))
    ids = data.draw(st.permutations(range(100, 100 + len(rows))))
    found = METHODS[name](np.array(rows), ids=np.array(ids), seed=3)
    assert order_of(found) == slow_picks(name, rows, ids, 3)
    assert sorted(found) == pytest.approx([(i + 1) / len(rows) for i in range(len(rows))])


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_facility_location_is_greedy_in_the_plane(monkeypatch, block):
    monkeypatch.setattr(_coresets, "_BLOCK", 40 * block)
    monkeypatch.setattr(_coresets, "_AT_ONCE", max(1, block % 9))
    x = np.random.default_rng(1).normal(size=(40, 5))
    between = np.linalg.norm(x[:, None] - x[None], axis=2)
    picks = order_of(facility_location(x))
    for size in range(40):  # of equal ones either is right: two that are only near each other
        costs = [between[:, [*picks[:size], i]].min(1).sum() for i in picks[size:]]
        assert costs[0] <= min(costs) + 1e-9


@pytest.mark.parametrize("name", METHODS)
def test_neither_order_nor_offset_nor_container_matters(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    x[50:] = x[:10]  # equal examples
    ids = [f"example {i}" for i in range(60)]
    whole = METHODS[name](x, ids=ids)
    order = rng.permutation(60)
    shuffled = METHODS[name](x[order], ids=[ids[i] for i in order])
    assert np.array_equal(shuffled, whole[order])
    lists = pa.array(x.tolist(), pa.list_(pa.float32()))
    for same in (torch.from_numpy(x), lists, pa.chunked_array([lists[:9], lists[9:]])):
        assert np.array_equal(METHODS[name](same, ids=ids), whole)
    if name != "herding":  # whose order is decided by differences of rounding size late on
        assert order_of(METHODS[name](x.astype(float) + 100, ids=ids))[:30] == order_of(whole)[:30]


@pytest.mark.parametrize("name", METHODS)
def test_by_class_it_is_the_method_in_each_class(name):
    rng = np.random.default_rng(0)
    x, labels, ids = rng.normal(size=(50, 3)), rng.integers(0, 3, 50), np.arange(50)
    found = METHODS[name](x, labels, ids=ids)
    for label in range(3):
        rows = np.flatnonzero(labels == label)
        assert np.array_equal(found[rows], METHODS[name](x[rows], ids=ids[rows]))
    table = pa.table({"example_id": ids, "label": labels})
    for keep in (0.2, 0.5):
        short = METHODS[name](x, labels, keep=keep, ids=ids)
        chosen = curate.prune(table, keep, by=found, stratify="label").kept_ids
        assert curate.prune(table, keep, by=short, stratify="label").kept_ids.equals(chosen)
        picked = short > 0
        assert picked.sum() < len(x)
        assert np.array_equal(short[picked], found[picked])


def test_k_centre_covers_within_twice_the_best():
    x = np.random.default_rng(2).normal(size=(12, 2))
    between = np.linalg.norm(x[:, None] - x[None], axis=2)
    order = order_of(k_centre(x))
    for k in (1, 2, 3, 4):
        best = min(between[:, list(some)].min(1).max() for some in combinations(range(12), k))
        assert between[:, order[:k]].min(1).max() <= 2 * best + 1e-12


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        (np.zeros(4), {}, r"features: float64 of shape \(4,\); give numbers of shape \(n, d\)"),
        (np.zeros((0, 3)), {}, r"features: .*of shape \(0, 3\)"),
        (np.array([["a"]]), {}, "features: <U1"),
        (np.array([[0.0], [np.nan]]), {}, "features: row 1 holds NaN or infinity"),
        (np.zeros((3, 1)), {"keep": 0}, "keep: 0; give the share"),
        (np.zeros((3, 1)), {"keep": 2}, "keep: 2; give the share"),
        (np.zeros((3, 1)), {"ids": [1, 2]}, "ids: 2 for 3 rows"),
        (np.zeros((3, 1)), {"labels": [0, 0, 1, 1]}, "labels: 4 for 3 rows"),
    ],
)
def test_what_cannot_be_used_is_named(features, options, words):
    with pytest.raises(CurateError, match=words):
        k_centre(features, **options)
