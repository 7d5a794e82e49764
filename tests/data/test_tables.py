"""Tables as others write them: partitioned folders, columns of rare types, paths, gaps."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import torch

import curate
from curate.bias import as_sources
from curate.data import as_example_set, load, parquet
from curate.errors import CurateError, CurateWarning

datasets = pytest.importorskip("datasets")


def frame(labels, **columns):
    return pd.DataFrame(
        {"features": [[float(n), 1.0] for n in range(len(labels))], "label": labels, **columns}
    )


def by_feature(data):
    """The label's name of every row, by its first feature."""
    names = data.class_names
    return {
        int(value[0]): (int(label) if names is None else names[label]) for value, label, _ in data
    }


LABELS = {
    "names": list("aabbcc"),
    "numbers": [0, 0, 1, 1, 2, 2],
    "nasty": ["a b", "a b", "c/d", "c/d", "é=1", "é=1"],
    "like a split": ["train", "train", "test", "test", "val", "val"],
}


@pytest.mark.parametrize("labels", LABELS)
def test_a_folder_that_pandas_partitioned_by_label(tmp_path, labels):
    frame(LABELS[labels]).to_parquet(tmp_path / "s", partition_cols=["label"])
    data = parquet(tmp_path / "s")
    assert by_feature(data) == dict(enumerate(LABELS[labels]))
    parts = [load(tmp_path / "s", split) for split in ("train", "test")]
    assert sum(map(len, parts)) == 6
    assert {**by_feature(parts[0]), **by_feature(parts[1])} == dict(enumerate(LABELS[labels]))
    curate.data.fingerprint(data)
    [source, _] = as_sources({"one": tmp_path / "s", "two": tmp_path / "s"})
    assert len(source.labels) == 6


def test_as_spark_writes_it(tmp_path):
    place = tmp_path / "s"
    frame(list("aabbcc"), year=[1, 2] * 3, day=["x", None] * 3).to_parquet(
        place, partition_cols=["year", "label", "day"]
    )
    for name in ("_SUCCESS", "._SUCCESS.crc", "_metadata", "year=1/label=a/.part.parquet.crc"):
        (place / name).write_bytes(b"x")
    (place / "_temporary" / "0").mkdir(parents=True)
    (place / "_temporary" / "0" / "part.parquet").write_bytes(b"x")
    data = parquet(place, label_column="label")
    assert by_feature(data) == dict(enumerate("aabbcc"))
    rows = data.dataset.with_format(None)
    assert {(row["features"][0], row["year"], row["day"]) for row in rows} == {
        (n, n % 2 + 1, None if n % 2 else "x") for n in range(6)
    }


def test_splits_that_are_partitioned_or_are_partitions(tmp_path):
    for split, labels in (("train", list("aabb")), ("test", list("ba"))):
        frame(labels).to_parquet(tmp_path / "s" / split, partition_cols=["label"])
        frame(labels).to_parquet(tmp_path / "t" / f"split={split}", partition_cols=["label"])
    for name in "st":
        train, test = load(tmp_path / name), load(tmp_path / name, "test")
        assert by_feature(train) == {0: "a", 1: "a", 2: "b", 3: "b"}
        assert by_feature(test) == {0: "b", 1: "a"}


def test_several_files_and_row_groups_of_a_partition(tmp_path):
    table = pa.table(
        {"features": [[float(n), 0.0] for n in range(90)], "label": [n % 3 for n in range(90)]}
    )
    ds.write_dataset(
        table,
        tmp_path / "s",
        format="parquet",
        partitioning=ds.partitioning(pa.schema([("label", pa.int64())]), flavor="hive"),
        max_rows_per_file=10,
        max_rows_per_group=4,
    )
    assert by_feature(parquet(tmp_path / "s")) == {n: n % 3 for n in range(90)}


def test_a_column_in_the_file_goes_before_the_folders_name(tmp_path):
    place = tmp_path / "s" / "label=7"
    place.mkdir(parents=True)
    frame([0, 1]).to_parquet(place / "0.parquet")
    assert parquet(tmp_path / "s").labels.tolist() == [0, 1]


RARE = {
    "map": pa.array([[("k", 1)]] * 4, pa.map_(pa.string(), pa.int64())),
    "uuid": pa.array([bytes(16)] * 4, pa.uuid()),
    "list view": pa.array([[1.0]] * 4, pa.list_view(pa.float64())),
}


@pytest.mark.parametrize("kind", RARE)
def test_a_column_of_a_rare_type_is_left_out_with_a_word(tmp_path, kind):
    table = pa.table({"features": [[1.0, 2.0]] * 4, "label": [0, 1] * 2, "extra": RARE[kind]})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.warns(CurateWarning, match=r"the column 'extra' of type .* is left out"):
        data = parquet(tmp_path / "t.parquet")
    assert data.labels.tolist() == [0, 1, 0, 1]
    assert "extra" not in data.dataset.column_names


def test_paths_of_images_are_no_texts(tmp_path):
    table = pa.table({"image": [f"img/{n}.JPG" for n in range(10)], "label": [0, 1] * 5})
    pq.write_table(table, tmp_path / "t.parquet")
    for options in ({}, {"column": "image"}):
        with pytest.raises(CurateError, match=r"'image' holds only the paths of images"):
            parquet(tmp_path / "t.parquet", **options)
    words = pa.table({"text": [f"see img/{n}.jpg now" for n in range(10)], "label": [0, 1] * 5})
    pq.write_table(words, tmp_path / "t.parquet")
    assert parquet(tmp_path / "t.parquet").texts[0] == "see img/0.jpg now"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_named(tmp_path, bad):
    features = np.ones((8, 3), np.float32)
    features[5, 1] = bad
    table = pa.table({"features": features.tolist(), "label": [0, 1] * 4})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(
        CurateError, match=r"'features' holds NaN or infinity in 1 rows.* example 5;"
    ):
        parquet(tmp_path / "t.parquet")
    tensors = torch.utils.data.TensorDataset(torch.tensor(features), torch.arange(8) % 2)
    with pytest.raises(CurateError, match=r"1 examples hold NaN or infinity, the first is 5;"):
        as_example_set(tensors)
