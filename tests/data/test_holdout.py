from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.data import held_out
from curate.data.holdout import split_rows
from curate.errors import CurateError

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array)


@given(LABELS, st.integers(0, 30), st.integers(0, 3))
def test_every_class_gives_its_share_and_keeps_one(labels, count, seed):
    ids = np.arange(len(labels)) * 7
    test = held_out(labels, ids, count, seed)
    sizes, taken = Counter(labels.tolist()), Counter(labels[test].tolist())
    spare = sum(size - 1 for size in sizes.values())
    assert test.sum() <= min(count, spare)
    for label, size in sizes.items():
        share = count * size / len(labels)
        assert taken[label] <= size - 1
        if share <= size - 1:
            assert int(share) <= taken[label] <= int(share) + 1
    if all(count * size / len(labels) <= size - 1 for size in sizes.values()):
        assert test.sum() == count


@given(LABELS, st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order(labels, random):
    ids = [f"id {number}" for number in range(len(labels))]
    chosen = {ids[row] for row in np.flatnonzero(held_out(labels, ids, len(labels) // 4))}
    order = list(range(len(labels)))
    random.shuffle(order)
    again = held_out(labels[order], [ids[row] for row in order], len(labels) // 4)
    assert {ids[order[row]] for row in np.flatnonzero(again)} == chosen


def test_another_seed_is_another_choice_and_the_choice_is_pinned():
    labels, ids = np.repeat([0, 1], 50), np.arange(100)
    first, second = (held_out(labels, ids, 20, seed) for seed in (0, 1))
    assert (first != second).any()
    assert np.flatnonzero(held_out(labels, ids, 8)).tolist() == [3, 18, 24, 37, 52, 62, 74, 96]


def test_train_and_test_rows_part_the_set():
    labels, ids = np.repeat([0, 1, 2], [30, 20, 10]), np.arange(60)
    train, test = (split_rows(labels, ids, split) for split in ("train", "test"))
    assert sorted([*train, *test]) == list(range(60))
    assert np.bincount(labels[test]).tolist() == [6, 4, 2]
    with pytest.raises(CurateError, match="leave none for 'test'"):
        split_rows(np.arange(5), np.arange(5), "test")
