import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate


@given(
    st.lists(st.text(max_size=3), unique=True), st.dictionaries(st.text(max_size=3), st.floats())
)
def test_a_join_is_a_lookup_by_id(ids, values):
    table = pa.table({"example_id": pa.array(ids, pa.string())})
    other = pa.table(
        {
            "example_id": pa.array(list(values), pa.string()),
            "value": pa.array(list(values.values()), pa.float64()),
        }
    )
    joined = curate.join(table, other)
    assert joined["example_id"].to_pylist() == ids
    for i, value in zip(ids, joined["value"].to_pylist(), strict=True):
        expected = values.get(i)
        assert value == expected or (value != value and expected != expected)


def test_ambiguity_is_refused():
    table = pa.table({"example_id": [1, 2], "a": [0, 0]})
    with pytest.raises(curate.CurateError, match="example_id 2 occurs more than once"):
        curate.join(table, pa.table({"example_id": [2, 2], "b": [0, 0]}))
    with pytest.raises(curate.CurateError, match=r"both tables have \['a'\]"):
        curate.join(table, pa.table({"example_id": [2], "a": [0]}))
    with pytest.raises(curate.CurateError, match="ids are string but the table's are int64"):
        curate.join(table, pa.table({"example_id": ["2"], "b": [0]}))
    with pytest.raises(curate.CurateError, match="other: no 'example_id'"):
        curate.join(table, pa.table({"b": [0]}))
