"""Hashes of ids against plain integers, and frozen: a selection made today must hold tomorrow."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.table import hash_ids

GOLDEN, WORD = 0x9E3779B97F4A7C15, (1 << 64) - 1
PURPOSES = {"ties": b"ties\0\0\0\0", "random": b"random\0\0"}


def mix(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return x ^ (x >> 31)


def slow(value, seed, purpose):
    key = mix(mix((seed + GOLDEN) & WORD) ^ int.from_bytes(PURPOSES[purpose], "big"))
    if isinstance(value, int):
        return mix((value + key) & WORD)
    text = value.encode()
    h = mix(key ^ len(text))
    for i in range(0, len(text), 8):
        h = (mix(h ^ int.from_bytes(text[i : i + 8], "little")) + GOLDEN) & WORD
    return h


@given(
    ids=st.one_of(
        st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.text(max_size=40), max_size=30)
    ),
    seed=st.integers(-(2**70), 2**70),
    purpose=st.sampled_from(["ties", "random"]),
    cut=st.integers(0, 5),
    large=st.booleans(),
)
def test_hash_is_that_of_each_id(ids, seed, purpose, cut, large):
    type_ = pa.int64() if not ids or isinstance(ids[0], int) else pa.string()
    if type_ == pa.string() and large:
        type_ = pa.large_string()
    array = pa.array(ids, type_)
    expected = [slow(value, seed, purpose) for value in ids]
    found = hash_ids(array, seed=seed, purpose=purpose)
    assert found.dtype == np.uint64
    assert found.tolist() == expected
    assert hash_ids(array.slice(cut), seed=seed, purpose=purpose).tolist() == expected[cut:]
    chunked = pa.chunked_array([array[:cut], array[cut:]], type_)
    assert hash_ids(chunked, seed=seed, purpose=purpose).tolist() == expected


def test_longer_than_a_block():
    ids = [f"{i:b}" for i in range(70_000)]
    found = hash_ids(pa.array(ids), seed=3)
    for i in (0, 1, 32_767, 32_768, 69_999):
        assert int(found[i]) == slow(ids[i], 3, "ties")
    assert len(np.unique(found)) == len(ids)


def test_hashes_never_change():
    assert hash_ids(np.array([0, 1, -1])).tolist() == [slow(i, 0, "ties") for i in (0, 1, -1)]
    assert [int(h) for h in hash_ids(np.array([0, 1]))] == [0x8C976EB18ABF76B4, 0xD1D37828F92DBF5B]
    assert [int(h) for h in hash_ids(pa.array(["", "cat/ä.png"]), seed=7)] == [
        0x332455B507402DF,
        0x553E343F89560399,
    ]


def test_integer_ids_never_collide_and_spread_evenly():
    found = hash_ids(np.arange(100_000), seed=5)
    assert len(np.unique(found)) == 100_000
    counts = np.bincount((found >> np.uint64(60)).astype(int), minlength=16)
    assert abs(counts - 6250).max() < 5 * 6250**0.5


def test_purposes_and_seeds_are_independent():
    ids = np.arange(20_000)
    draws = [hash_ids(ids, seed=s, purpose=p) for s in (0, 1) for p in ("ties", "random")]
    for i, a in enumerate(draws):
        for b in draws[:i]:
            assert abs(np.corrcoef(a.astype(float), b.astype(float))[0, 1]) < 0.03


def test_smaller_integers_hash_as_int64():
    assert (hash_ids(np.arange(9, dtype=np.int16)) == hash_ids(np.arange(9))).all()


def test_null_and_other_ids_are_refused():
    with pytest.raises(CurateError, match="1 rows have a null id"):
        hash_ids(pa.array([1, None]))
    with pytest.raises(CurateError, match="ids of type double"):
        hash_ids(np.array([1.5]))
