import os
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from curate.data import load, parquet
from curate.errors import CurateError
from tests.data.pictures import encoded, pixels

datasets = pytest.importorskip("datasets")

PICTURES = [encoded(pixels(seed)) for seed in range(10)]
LABELS = [0, 1] * 5


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=4)
    return path


@pytest.mark.parametrize("kind", ["binary", "large_binary", "struct", "feature"])
def test_pictures_of_every_column_type(tmp_path, kind):
    path = tmp_path / "rows.parquet"
    if kind == "feature":
        features = datasets.Features({"pic": datasets.Image(), "label": datasets.Value("int64")})
        cells = [{"bytes": picture, "path": None} for picture in PICTURES]
        rows = {"pic": cells, "label": LABELS}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    elif kind == "struct":
        write(path, pic=[{"bytes": p, "path": "x.png"} for p in PICTURES], label=LABELS)
    else:
        write(path, pic=pa.array(PICTURES, getattr(pa, kind)()), label=LABELS)
    data = parquet(path)
    assert (len(data), data.shape, data.ids.tolist()) == (10, (3, 8, 8), list(range(10)))
    assert data.labels.tolist() == LABELS
    assert data.class_names is None
    for position, picture in enumerate(PICTURES):
        assert data.encoded[position] == picture
        np.testing.assert_array_equal(data.image(position), pixels(position))
    assert "pic" in data.dataset.column_names


def test_after_pickling_cells_are_read_as_directly_as_before(tmp_path):
    contents = [encoded(pixels(seed)) for seed in range(6)]
    pq.write_table(pa.table({"image": contents, "label": [0, 1] * 3}), tmp_path / "t.parquet")
    data = parquet(tmp_path / "t.parquet")
    again = pickle.loads(pickle.dumps(data.encoded))
    again.cells = None  # through the data set it takes ten times as long
    assert [again[row] for row in range(6)] == contents
    test = pickle.loads(pickle.dumps(parquet(tmp_path / "t.parquet", split="test")))
    for row, example_id in enumerate(test.ids.tolist()):
        assert test.encoded[row] == contents[example_id]


def test_arrow_files_too(tmp_path):
    table = pa.table({"image": PICTURES, "label": LABELS})
    for name, open_writer in (("s", pa.ipc.new_stream), ("f", pa.ipc.new_file)):
        with open_writer(str(tmp_path / f"{name}.arrow"), table.schema) as writer:
            writer.write_table(table)
        assert parquet(tmp_path / f"{name}.arrow").encoded[3] == PICTURES[3]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 3)])
def test_features_are_float32_vectors(tmp_path, kind):
    vectors = np.random.default_rng(0).normal(size=(10, 3))
    path = write(tmp_path / "f.parquet", v=pa.array(vectors.tolist(), kind), label=LABELS)
    data = parquet(path)
    values, labels = data.arrays()
    assert (values.dtype, data.shape) == (torch.float32, (3,))
    np.testing.assert_array_equal(values.numpy(), vectors.astype(np.float32))
    assert torch.equal(data[4][0], values[4])
    assert labels.tolist() == LABELS
    with pytest.raises(CurateError, match=r"features of shape \(3,\), not images"):
        data.image(0)


def test_nested_lists_are_arrays(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(10, 2, 3)).astype(np.float32)
    kind = pa.list_(pa.list_(pa.float32(), 3), 2)
    data = parquet(write(tmp_path / "f.parquet", x=pa.array(vectors.tolist(), kind), y=LABELS))
    np.testing.assert_array_equal(data.arrays()[0].numpy(), vectors)


def test_class_names_and_ids_come_from_columns(tmp_path):
    names = ["dog", "cat", "dog", "eel", "cat", "dog", "cat", "eel", "cat", "dog"]
    coded = pa.array(names).dictionary_encode()
    keys = [f"k{number}" for number in range(10)]
    path = write(tmp_path / "rows.parquet", image=PICTURES, animal=coded, key=keys)
    data = parquet(path, label_column="animal", id_column="key")
    assert data.class_names == ["cat", "dog", "eel"]
    assert [data.class_names[label] for label in data.labels] == names
    assert data.ids == keys
    assert data[2][1:] == (1, "k2")
    with pytest.raises(CurateError, match="label_column: none of"):
        parquet(path)
    path = write(tmp_path / "own.parquet", image=PICTURES, label=names, example_id=keys)
    assert parquet(path).ids == keys
    twice = write(tmp_path / "twice.parquet", image=PICTURES, label=names, example_id=LABELS)
    with pytest.raises(CurateError, match="0 occurs at position 0 and again at position 2"):
        parquet(twice)


def test_a_fifth_is_held_out_and_ids_are_row_numbers_of_the_file(tmp_path):
    path = write(tmp_path / "rows.parquet", image=PICTURES, label=LABELS)
    train, test = load(path), load(path, "test")
    assert (len(train), len(test)) == (8, 2)
    assert sorted([*train.ids, *test.ids]) == list(range(10))
    assert sorted(test.labels) == [0, 1]
    for data in (train, test):
        assert [data.encoded[row] for row in range(len(data))] == [PICTURES[i] for i in data.ids]


def test_a_split_column_is_heeded(tmp_path):
    marks = ["train"] * 7 + ["val"] * 3
    path = write(tmp_path / "rows.parquet", image=PICTURES, label=LABELS, split=marks)
    assert load(path, "train").ids.tolist() == list(range(7))
    assert load(path, "test").ids.tolist() == [7, 8, 9]
    assert len(parquet(path)) == 10
    path = write(tmp_path / "other.parquet", image=PICTURES, label=LABELS, split=["photo"] * 10)
    assert (len(load(path)), len(load(path, "test"))) == (8, 2)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"),
        ("data/train.parquet", "data/validation.parquet"),
        ("train/0.parquet", "test/0.parquet"),
    ],
)
def test_files_of_a_folder_belong_to_splits_by_name(tmp_path, train, test):
    write(tmp_path / train, image=PICTURES[:7], label=list("abcabca"))
    write(tmp_path / test, image=PICTURES[7:], label=list("bca"))
    (tmp_path / "README.md").write_text("# not data")
    assert [len(load(tmp_path)), len(load(tmp_path, "test"))] == [7, 3]
    assert load(tmp_path, "test").labels.tolist() == [1, 2, 0]
    with pytest.raises(CurateError, match="split: there are"):
        parquet(tmp_path)
    write(tmp_path / "stray.parquet", image=PICTURES, label=LABELS)
    with pytest.raises(CurateError, match="stray.parquet' is named for no split"):
        load(tmp_path)


def test_shards_are_read_in_order(tmp_path):
    for shard in range(3):
        part = slice(3 * shard, 3 * shard + 3)
        write(tmp_path / f"{shard}.parquet", image=PICTURES[part], label=LABELS[part])
    data = parquet(tmp_path)
    assert [data.encoded[row] for row in range(9)] == PICTURES[:9]


def test_a_file_that_changed_is_read_anew(tmp_path):
    path = write(tmp_path / "rows.parquet", image=PICTURES, label=LABELS)
    assert len(parquet(path)) == 10
    write(path, image=PICTURES[5:], label=LABELS[5:])
    assert parquet(path).encoded[0] == PICTURES[5]


def test_a_file_that_changed_and_kept_its_time_is_read_anew(tmp_path):
    path = tmp_path / "rows.parquet"
    for value in (1.0, 2.0):  # of one size too
        write(path, features=[[value, 0.5]] * 10, label=LABELS)
        os.utime(path, (1e9, 1e9))
        assert parquet(path).values[0, 0] == value


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"image": PICTURES, "label": [None, *LABELS[1:]]}, "'label' is null in row 0"),
        ({"image": PICTURES, "label": [*LABELS[1:], -1]}, "'label' is -1 in row 9"),
        ({"image": PICTURES, "label": [0.5] * 10}, "'label' is of type double"),
        ({"image": ["a.png"] * 10, "label": LABELS}, "cannot tell which of"),
        ({"image": [None, *PICTURES[1:]], "label": LABELS}, "row 0 of the column 'image'"),
        ({"x": [[1.0, 2.0], *[[1.0]] * 9], "label": LABELS}, "differ in length"),
        ({"x": [None, *[[1.0]] * 9], "label": LABELS}, "null"),
        ({"x": [[None], *[[1.0]] * 9], "label": LABELS}, "holds nulls"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "cannot be read"),
    ],
)
def test_columns_of_no_use_are_named(tmp_path, columns, words):
    path = write(tmp_path / "rows.parquet", **columns)
    with pytest.raises(CurateError) as caught:
        parquet(path)
    assert words in str(caught.value)


def test_a_strangers_file_cannot_point_at_other_files(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(PICTURES[0])
    cells = [{"bytes": None, "path": str(secret)}] * 10
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = datasets.Dataset.from_dict({"image": cells, "label": LABELS}, features=features)
    pq.write_table(rows.with_format("arrow")[:], tmp_path / "rows.parquet")
    with pytest.raises(CurateError, match="holds no image bytes"):
        parquet(tmp_path / "rows.parquet")


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(CurateError, match="there is no file or folder"):
        parquet(tmp_path / "nowhere.parquet")
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(CurateError, match="not hold only, .parquet or only .arrow"):
        parquet(tmp_path / "a.csv")
    torn = write(tmp_path / "torn.parquet", image=PICTURES, label=LABELS)
    torn.write_bytes(torn.read_bytes()[:-30])
    with pytest.raises(CurateError, match="torn.parquet' cannot be read as a table"):
        parquet(torn)
    path = write(tmp_path / "rows.parquet", image=PICTURES, label=LABELS)
    with pytest.raises(CurateError, match="column: 'nothing' is not among the columns"):
        parquet(path, column="nothing")
    with pytest.raises(CurateError, match="column: 'label' is of type int64"):
        parquet(path, column="label")
