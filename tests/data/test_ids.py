import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curate.data.ids import as_arrow, checked_ids
from curate.errors import CurateError

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(INT64, unique=True, max_size=20))
def test_any_int64_in_any_container_gives_the_same_array(values):
    array = np.array(values, np.int64)
    for ids in (values, tuple(values), iter(values), array, torch.tensor(array), pa.array(array)):
        checked = checked_ids(ids, len(values))
        assert checked.dtype == np.int64
        assert checked.tolist() == values


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True, min_size=1))
def test_strings_stay_as_they_are(values):
    for ids in (values, np.array(values, object), pa.array(values, pa.string())):
        assert checked_ids(ids, len(values)) == values
    assert as_arrow(checked_ids(values, len(values))).to_pylist() == values


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.booleans())
def test_duplicates_are_named_with_both_positions(values, as_text):
    ids = [f"id {value}" for value in values] if as_text else values
    seen = {}
    for position, value in enumerate(ids):
        if value in seen:
            with pytest.raises(CurateError) as caught:
                checked_ids(ids, len(ids))
            said = f"{value!r} occurs at position {seen[value]} and again at position {position};"
            assert said in str(caught.value)
            return
        seen[value] = position
    assert list(checked_ids(ids, len(ids))) == ids


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([1, 2], "2 ids for 3 examples"),
        ([1, 2, True], "True at position 2 is a bool"),
        ([True, False, True], "True at position 0 is a bool"),
        (np.array([True, False, True]), "of type bool"),
        ([1, 2, 3.0], "3.0 at position 2 is a float"),
        (np.array([1.0, 2.0, 3.0]), "of type float64"),
        (torch.ones(3), "of type float32"),
        ([1, "2", 3], "1 at position 0 but '2' at position 1"),
        (["1", 2, 3], "'1' at position 0 but 2 at position 1"),
        ([1, None, 3], "None at position 1 is a NoneType"),
        ([1, 2, 2**63], "64 bits"),
        ([-1, 2, 2**63], "64 bits"),
        ([1, 2, 2**70], "64 bits"),
        (np.array([0, 1, 2**63], np.uint64), "64 bits"),
        ("abc", "not a list of ids"),
        (3, "not a list of ids"),
        (np.zeros((3, 1), int), "shape (3, 1)"),
        (pa.array([1, None, 3]), "1 of them are null"),
        (["a", "\ud800", "c"], "position 1 is not valid Unicode"),
    ],
)
def test_what_cannot_be_an_id_is_named(ids, words):
    with pytest.raises(CurateError, match="ids: ") as caught:
        checked_ids(ids, 3)
    assert words in str(caught.value)


def test_narrow_integers_become_int64():
    for kind in (np.uint8, np.int32, np.uint64):
        assert checked_ids(np.arange(3, dtype=kind), 3).dtype == np.int64
    assert checked_ids([np.int32(4), 5], 2).tolist() == [4, 5]
