import os
import pickle
import re

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import torch

from curate.bias import Source, as_sources
from curate.data import ExampleSet, load
from curate.errors import CurateError
from tests.data.pictures import encoded, pixels, write_folder

PICTURES = [encoded(pixels(seed)) for seed in range(6)]


def opened(source, name="mine"):
    (found,) = as_sources({name: source})
    assert found.name == name
    return found


def test_a_folder_without_class_folders(tmp_path):
    contents = write_folder(tmp_path, ["b.png", "deep/er/a.JPG", "c.jpeg"])
    (tmp_path / "notes.txt").write_text("no picture")
    write_folder(tmp_path, [".hidden.png", ".trash/1.png"])
    source = opened(tmp_path)
    assert source.ids == ["b.png", "c.jpeg", "deep/er/a.JPG"]
    assert [source.encoded[row] for row in range(3)] == [contents[name] for name in source.ids]
    assert source.labels is source.class_names is None
    assert source.has_images


def test_class_folders_are_labels_also_inside_splits(tmp_path):
    write_folder(tmp_path / "plain", ["dog/1.png", "cat/x/1.png", "cat/2.png"])
    source = opened(tmp_path / "plain")
    assert source.ids == ["cat/2.png", "cat/x/1.png", "dog/1.png"]
    assert source.labels.tolist() == [0, 0, 1]
    assert source.class_names == ("cat", "dog")
    write_folder(tmp_path / "parted", ["train/dog/1.png", "train/cat/1.png", "test/dog/1.png"])
    source = opened(str(tmp_path / "parted"))
    assert source.ids == ["test/dog/1.png", "train/cat/1.png", "train/dog/1.png"]
    assert source.labels.tolist() == [1, 0, 1]
    assert source.class_names == ("cat", "dog")
    write_folder(tmp_path / "flat", ["train/1.png", "test/1.png"])
    assert opened(tmp_path / "flat").labels is None


def test_a_link_to_a_folder_is_followed_once(tmp_path):
    write_folder(tmp_path, ["a/1.png"])
    os.symlink(tmp_path, tmp_path / "a" / "round")
    assert opened(tmp_path).ids == ["a/1.png"]


@pytest.mark.parametrize("kind", ["binary", "large_binary", "struct"])
def test_a_parquet_file_with_only_an_image_column(tmp_path, kind):
    cells = [{"bytes": content, "path": "x"} for content in PICTURES]
    column = cells if kind == "struct" else pa.array(PICTURES, getattr(pa, kind)())
    pq.write_table(pa.table({"image": column}), tmp_path / "rows.parquet", row_group_size=2)
    source = opened(tmp_path / "rows.parquet")
    assert source.ids.tolist() == list(range(6))
    assert [source.encoded[row] for row in range(6)] == PICTURES
    assert source.labels is None
    np.testing.assert_array_equal(source.image(4), pixels(4))
    again = pickle.loads(pickle.dumps(source))
    assert [again.encoded[row] for row in range(6)] == PICTURES


def test_ids_and_labels_of_a_table_are_kept(tmp_path):
    table = pa.table(
        {"label": list("abacab"), "image": PICTURES, "example_id": [f"x{row}" for row in range(6)]}
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    feather.write_feather(table, tmp_path / "rows.arrow", compression="uncompressed")
    for given in (tmp_path / "rows.parquet", tmp_path / "rows.arrow", table, table.slice(0, 6)):
        source = opened(given)
        assert source.ids == [f"x{row}" for row in range(6)]
        assert source.labels.tolist() == [0, 1, 0, 2, 0, 1]
        assert source.class_names == ("a", "b", "c")
        assert source.encoded[3] == PICTURES[3]
    part = opened(table.filter(pa.array([False, True] * 3)))
    assert part.ids == ["x1", "x3", "x5"]
    assert [part.encoded[row] for row in range(3)] == PICTURES[1::2]


@pytest.mark.parametrize("labels", [[0, 1, None, 1, 0, 1], [0, -1, 0, 0, 0, 0], [0.5] * 6])
def test_labels_that_are_missing_or_hidden_are_left_out(labels):
    source = opened(pa.table({"image": PICTURES, "label": labels}))
    assert source.labels is None
    assert len(source) == 6


def test_everything_in_a_folder_of_tables_is_taken(tmp_path):
    for name, rows in (("train", PICTURES[:4]), ("test", PICTURES[4:])):
        pq.write_table(pa.table({"image": rows}), tmp_path / f"{name}-0.parquet")
    source = opened(tmp_path)
    assert sorted(source.encoded[row] for row in range(6)) == sorted(PICTURES)
    assert source.ids.tolist() == list(range(6))


def test_features_of_tables():
    lists = opened(pa.table({"embedding": [[1.0, 2.0], [3.0, 4.0]], "label": [1, 0]}))
    assert lists.features.tolist() == [[1, 2], [3, 4]]
    assert lists.labels.tolist() == [1, 0]
    numbers = opened(pa.table({"example_id": [7, 9], "p": [0.5, 1], "q": [3, 4], "label": [1, 1]}))
    assert numbers.ids.tolist() == [7, 9]
    assert numbers.features.tolist() == [[0.5, 3], [1, 4]]
    assert numbers.features.dtype == np.float32
    assert numbers.columns == ("p", "q")
    assert not numbers.has_images


def test_hugging_face_sets_also_shuffled(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict(
        {"image": [{"bytes": content, "path": None} for content in PICTURES]},
        features=datasets.Features({"image": datasets.Image()}),
    )
    rows = rows.add_column("example_id", list("abcdef")).shuffle(seed=1)
    source = opened(rows)
    for row, example_id in enumerate(source.ids):
        assert source.encoded[row] == PICTURES["abcdef".index(example_id)]
    rows.to_parquet(tmp_path / "set" / "train.parquet")
    assert opened(f"hf:{tmp_path / 'set'}").ids == source.ids


def test_loaded_sets_and_names():
    digits = load("digits")
    for source in (opened(digits), opened("digits")):
        assert torch.equal(source.pixels, digits.values)
        np.testing.assert_array_equal(source.ids, digits.ids)
        np.testing.assert_array_equal(source.labels, digits.labels)
        assert source.class_names == tuple(digits.class_names)
    values = torch.rand(4, 2, 3)
    features = ExampleSet(list("abcd"), np.arange(4), None, shape=(2, 3), values=values)
    assert torch.equal(torch.from_numpy(opened(features).features), values.flatten(1))
    (named,) = as_sources(["digits"])
    assert named.name == "digits"


def test_a_loaded_folder_keeps_its_files(tmp_path):
    contents = write_folder(tmp_path, ["a/1.png", "b/1.png"])
    source = opened(load(tmp_path))
    assert [source.encoded[row] for row in range(2)] == list(contents.values())


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_and_tensors(channels):
    images = np.random.default_rng(0).integers(0, 256, (5, channels, 6, 7), dtype=np.uint8)
    for given in (images, torch.from_numpy(images), images[:, :, :, ::-1][:, :, :, ::-1]):
        source = opened(given)
        np.testing.assert_array_equal(source.pixels.numpy(), images)
        assert source.ids.tolist() == list(range(5))
    features = np.random.default_rng(0).random((5, 3))
    for dtype in ("<f4", ">f8", "f2"):
        found = opened(features.astype(dtype)).features
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, features, rtol=1e-3)


def test_sources_keep_their_order_and_take_the_names_of_a_mapping(tmp_path):
    write_folder(tmp_path, ["one/1.png", "two.d/1.png"])
    pq.write_table(pa.table({"image": PICTURES}), tmp_path / "three.parquet")
    given = [tmp_path / "two.d", tmp_path / "one", str(tmp_path / "three.parquet")]
    assert [source.name for source in as_sources(given)] == ["two.d", "one", "three"]
    again = as_sources(as_sources(given))
    assert [source.name for source in again] == ["two.d", "one", "three"]
    renamed = as_sources({"x": again[0], "y": given[1]})
    assert [source.name for source in renamed] == ["x", "y"]
    assert as_sources([]) == as_sources({}) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": "no/where"}, "'no/where' is no file or folder here and no known set"),
        (["digits", "digits"], "two are called 'digits'"),
        ({"": "digits"}, "'' is no name"),
        ({3: "digits"}, "3 is no name"),
        ([torch.zeros(1, 2)], "a Tensor in a list has no name"),
        ("digits", "one str; give a list or a mapping"),
        (torch.zeros(2, 2), "one Tensor; give a list"),
        ({"a": 3}, "'a' is a int, which is no path"),
        ({"a": np.array(["x"])}, "'a' is a ndarray, which is no path"),
        ({"a": torch.zeros(2, 3, 8, 8)}, "'a' is torch.float32 of shape (2, 3, 8, 8); give uint8"),
        ({"a": torch.zeros(2, 8, 8, 3, dtype=torch.uint8)}, "of shape (2, 8, 8, 3); give uint8"),
        ({"a": torch.zeros(2, 3, dtype=torch.int64)}, "'a' is torch.int64 of shape (2, 3)"),
        ({"a": torch.zeros(0, 3)}, "of shape (0, 3)"),
        (
            {"a": torch.tensor([[1.0, 2.0], [3.0, float("nan")]])},
            "feature 1 of example 1 of 'a' is",
        ),
        ({"a": pa.table({"x": [1.0, float("inf")]})}, "feature 0 ('x') of example 1 of 'a' is inf"),
        ({"a": pa.table({"x": [1.0, None]})}, "the column 'x' of 'a' is null in row 1"),
        ({"a": pa.table({"x": pa.array([], pa.float32())})}, "the table of 'a' has no rows"),
        (
            {"a": pa.table({"word": ["x"]})},
            "cannot tell which of ['word'] holds images",
        ),
        ({"a": pa.table({"text": ["x"]})}, "'a' holds texts"),
        ({"a": pa.table({"example_id": [1, 1], "x": [1, 2]})}, "'a': ids: 1 occurs at position 0"),
        ({"a": Source("a", [])}, "'a' holds no examples"),
    ],
)
def test_what_cannot_be_used_is_named(given, words):
    with pytest.raises(CurateError, match=re.escape(words)):
        as_sources(given)


def test_a_feature_that_is_not_finite_is_found_far_down():
    features = np.zeros((40_000, 2), np.float32)
    features[39_999, 1] = np.inf
    with pytest.raises(CurateError, match="feature 1 of example 39999 of 'mine' is inf"):
        opened(features)


def test_folders_without_pictures_and_other_files_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CurateError, match="the folder .*empty' of 'mine' holds no images"):
        opened(tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CurateError, match="notes.txt' is neither a folder nor"):
        opened(tmp_path / "notes.txt")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(CurateError, match="torn.parquet' cannot be read as a table"):
        opened(tmp_path / "torn.parquet")


def test_real_tables_have_all_their_rows(real_data):
    names = ["caltech101", "scene15", "office_caltech10"]
    paths = [real_data / f"natural-images/{name}_64.parquet" for name in names]
    sources = as_sources(dict(zip(names, paths, strict=True)))
    assert [len(source) for source in sources] == [2000, 2000, 2533]
    assert all(source.labels.max() + 1 == len(source.class_names) for source in sources)
    assert sources[1].image(0).shape == (64, 64, 3)


@pytest.mark.parametrize("rows", [[0, 2], [-1], [2**40], [0.5]])
def test_a_row_out_of_range_is_named(rows):
    source = Source("cats", ["a", "b"], features=np.zeros((2, 3), np.float32))
    with pytest.raises(CurateError, match="source 'cats': row"):
        source.take(np.array(rows))


def test_an_image_out_of_range_is_named():
    source = Source("cats", ["a"], pixels=torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    for position in (-1, 1):
        with pytest.raises(CurateError, match=f"row {position} of 1 examples"):
            source.image(position)


def test_a_source_is_a_view_of_one_line():
    source = Source("a" * 200, list(range(10_000)), pixels=torch.zeros(9, 3, 8, 8).byte())
    assert len(repr(source)) < 100
    assert "10,000 examples" in repr(source)
    assert source != Source("a", ["x"], features=np.zeros((1, 2), np.float32))
