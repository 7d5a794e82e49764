import numpy as np
import pytest

from curate.data import ids_of, with_ids
from curate.errors import CurateError

datasets = pytest.importorskip("datasets")


def words():
    return datasets.Dataset.from_dict(
        {"text": [f"word {number}" for number in range(20)], "label": [0, 1] * 10}
    )


def number_of(row):
    return int(row["text"].split()[1])


def test_the_column_survives_shuffle_select_filter_and_map():
    data = with_ids(words())
    changed = (
        data.shuffle(seed=1)
        .filter(lambda row: row["label"] == 1)
        .select(range(2, 8))
        .map(lambda row: {"length": len(row["text"])})
        .train_test_split(0.5, seed=0)["train"]
        .sort("length")
    )
    assert len(changed) == 3
    for row in changed:
        assert row["example_id"] == number_of(row)
    assert list(ids_of(changed)) == [number_of(row) for row in changed]


def test_ids_of_a_shuffled_set_are_those_of_its_rows():
    names = [f"n{number}" for number in range(20)]
    data = with_ids(words().shuffle(seed=3), names)
    assert data["example_id"][:] == names
    assert [number_of(row) for row in data] == [number_of(row) for row in words().shuffle(seed=3)]
    assert with_ids(data) is data


def test_ids_replace_those_there_and_bad_ones_are_refused():
    data = with_ids(words())
    assert ids_of(with_ids(data, np.arange(20) * 2)).tolist() == list(range(0, 40, 2))
    assert ids_of(with_ids(data, list("abcdefghijklmnopqrst")))[3] == "d"
    doubled = words().add_column("example_id", [0, 1] * 10)
    with pytest.raises(CurateError, match="0 occurs at position 0 and again at position 2"):
        with_ids(doubled)
    assert ids_of(with_ids(doubled, range(20))).tolist() == list(range(20))
    with pytest.raises(CurateError, match="19 ids for 20"):
        with_ids(words(), range(19))
    with pytest.raises(CurateError, match="0.0 at position 0 is a float"):
        with_ids(words().add_column("example_id", np.arange(20.0)))


def test_narrow_integer_ids_become_int64():
    data = words().add_column("example_id", np.arange(20, dtype=np.int32))
    assert with_ids(data).features["example_id"] == datasets.Value("int64")


def test_a_format_that_hides_columns_still_shows_the_ids():
    data = with_ids(words().with_format("numpy", columns=["label"]))
    assert data[4] == {"label": 0, "example_id": 4}
    assert set(with_ids(words().with_format("torch"))[4]) == {"text", "label", "example_id"}


def test_other_kinds_of_hugging_face_sets_are_refused():
    with pytest.raises(CurateError, match="iterable-style"):
        with_ids(words().to_iterable_dataset())
    with pytest.raises(CurateError, match=r"splits \['train'\]"):
        with_ids(datasets.DatasetDict({"train": words()}))
