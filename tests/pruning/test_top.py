import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.pruning.top import _kth_largest, smallest, top
from curate.table import hash_ids

VALUES = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(allow_nan=False, allow_infinity=True),
    st.sampled_from([0.0, -0.0]),
)


def hashes(rows):
    return hash_ids(np.asarray(rows))


@given(st.lists(VALUES, min_size=1, max_size=60), st.data())
def test_top_is_the_head_of_a_sorted_list(values, data):
    count = data.draw(st.integers(0, len(values)))
    ties = hashes(np.arange(len(values))).tolist()
    order = sorted(range(len(values)), key=lambda i: (-values[i], ties[i]))
    mask = top(np.array(values), count, hashes)
    assert sorted(order[:count]) == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("n", [4096, 4097, 20_000, 100_003])
@pytest.mark.parametrize("kind", ["counts", "normal", "constant", "sorted", "reversed", "sawtooth"])
def test_kth_largest_of_many(n, kind):
    """Also where the sample that brackets it misleads: then everything is sorted."""
    rng = np.random.default_rng(0)
    stride = max(1, n // 8192)
    values = {
        "counts": rng.geometric(0.4, n).astype(float),
        "normal": rng.normal(size=n),
        "constant": np.ones(n),
        "sorted": np.arange(n, dtype=float),
        "reversed": -np.arange(n, dtype=float),
        "sawtooth": np.where(np.arange(n) % stride == 0, 0.0, rng.normal(size=n) + 9),
    }[kind]
    ordered = np.sort(values)
    for k in (1, 2, n // 3, n // 2, n - 1, n):
        assert _kth_largest(values, k) == ordered[-k]


def test_only_ties_at_the_threshold_are_hashed():
    asked = []

    def ties(rows):
        asked.extend(rows.tolist())
        return hashes(rows)

    values = np.array([3.0, 1.0, 2.0, 1.0, 0.0, 1.0])
    mask = top(values, 3, ties)
    assert mask[[0, 2]].all()
    assert mask.sum() == 3
    assert asked == [1, 3, 5]
    asked.clear()
    assert top(values, 5, ties).tolist() == [True, True, True, True, False, True]
    assert asked == []


def test_equal_hashes_at_the_threshold_are_refused():
    with pytest.raises(CurateError, match="same id or hash"):
        smallest(np.array([5, 5, 9], np.uint64), 1)
    assert smallest(np.array([5, 5, 9], np.uint64), 2).tolist() == [True, True, False]
