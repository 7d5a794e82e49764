import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.data import with_ids
from curate.errors import CurateError
from curate.exporting import export
from curate.exporting.kept import kept_positions
from tests.exporting.selections import selection


@given(st.sets(st.integers(-50, 50), min_size=1), st.data(), st.booleans())
def test_positions_are_those_of_the_data_set_in_order(values, data, as_text):
    ids = [f"k{value}" for value in values] if as_text else np.array(sorted(values))
    kept = data.draw(st.sets(st.integers(0, len(values) - 1), min_size=1))
    chosen = selection(ids, list(kept), seed=data.draw(st.integers(0, 5)))
    assert kept_positions(ids, chosen).tolist() == sorted(kept)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (np.arange(6), "2 ids of the data set are not in the selection, the first is 4"),
        (np.arange(3), "1 ids of the selection are not in the data set, the first is 3"),
        (np.array([0, 1, 2, 9]), "1 ids of the data set are not in the selection, the first is 9"),
        (list("abcd"), "its ids are of type int64 but the data set's of type string"),
    ],
)
def test_ids_that_do_not_match_are_named(ids, words):
    with pytest.raises(CurateError, match="selection: ") as caught:
        kept_positions(ids, selection(range(4), [0, 1]))
    assert words in str(caught.value)


def test_repeated_rows_and_nothing_kept_are_refused():
    with pytest.raises(CurateError, match="an id occurs twice"):
        kept_positions(np.arange(2), selection([0, 1, 1], [0]))
    with pytest.raises(CurateError, match="keeps no example"):
        kept_positions(np.arange(2), selection([0, 1], []))


def test_a_data_set_without_ids_is_refused(tmp_path):
    with pytest.raises(CurateError, match=r"dataset: .*carry no ids; wrap it"):
        export([1, 2], selection([0, 1], [0]), tmp_path / "out")
    with pytest.raises(CurateError, match="format: 'csv'; give one of huggingface, parquet"):
        export(with_ids([1, 2]), selection([0, 1], [0]), tmp_path / "out", "csv")
    assert not (tmp_path / "out").exists()
