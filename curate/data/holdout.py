"""The stratified test split of sets that come without one: fixed by seed, ids and labels."""

import hashlib

import numpy as np

from curate.data.ids import Ids
from curate.errors import CurateError

_TEST_FRACTION = 0.2

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation", "dev")
"""What the splits that come with a set may be called; the first that exists is taken."""


def held_out(labels: np.ndarray, ids: Ids, count: int, seed: int = 0) -> np.ndarray:
    """Choose ``count`` examples for the test split, in proportion to the classes.

    Every class gives ``count / n`` of its examples, rounded down, and the classes with the
    largest remainders one more; a class never gives its last example. Within a class those with
    the smallest BLAKE2b hash of "seed:id" go, so the choice depends neither on the machine nor
    on the order of the examples.

    Args:
        labels: int64 of shape (n,).
        ids: n unique ids.
        count: how many examples to hold out; fewer where classes of one example forbid it.
        seed: another seed, another split.

    Returns:
        bool of shape (n,): True for the held-out examples.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
        raise CurateError(f"count: {count!r}; give a number of examples, 0 or more")
    _, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    quota = _quotas(sizes, count)
    keys = np.array(
        [
            hashlib.blake2b(f"{seed}:{example_id}".encode(), digest_size=8).digest()
            for example_id in (ids if isinstance(ids, list) else ids.tolist())
        ],
        dtype="S8",
    ).view(">u8")
    order = np.lexsort((keys, members))
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - starts[members[order]]
    return rank < quota[members]


def split_rows(labels: np.ndarray, ids: Ids, split: str) -> np.ndarray:
    """The rows of the "train" or "test" split of a set that comes without: a fifth is test.

    Raises:
        CurateError: no class has two examples, so that there is nothing to test on.
    """
    test = held_out(labels, ids, round(_TEST_FRACTION * len(labels)))
    rows = np.flatnonzero(test if split == "test" else ~test)
    if not len(rows):
        raise CurateError(
            f"split: the {len(labels)} examples leave none for {split!r}, as no class gives its "
            "last one; load all of them or add a test split"
        )
    return rows


def _quotas(sizes: np.ndarray, count: int) -> np.ndarray:
    exact = sizes * count / max(int(sizes.sum()), 1)
    quota = np.minimum(np.floor(exact).astype(np.int64), sizes - 1)
    by_remainder = np.argsort(-(exact - np.floor(exact)), kind="stable")
    for group in by_remainder:
        if quota.sum() < count and quota[group] < sizes[group] - 1:
            quota[group] += 1
    return quota
