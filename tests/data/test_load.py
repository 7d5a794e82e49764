import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from curate.data import load
from curate.data.known.local_copy import find_copy
from curate.errors import CurateError
from tests.data.pictures import encoded, pixels, write_folder

datasets = pytest.importorskip("datasets")


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    wanted = load_digits()
    train, test = load("digits"), load("digits", "test")
    assert (len(train), len(test)) == (1297, 500)
    assert sorted([*train.ids, *test.ids]) == list(range(1797))
    for data in (train, test):
        assert data.class_names == list("0123456789")
        np.testing.assert_array_equal(data.labels, wanted.target[data.ids])
        levels = data.arrays()[0].numpy()[:, 0] * (16 / 255)
        np.testing.assert_array_equal(np.rint(levels), wanted.images[data.ids])
        assert np.abs(np.bincount(data.labels) - len(data) / 10).max() < 5
    image, label, example_id = train[7]
    assert (image.shape, image.dtype, label) == ((1, 8, 8), torch.float32, train.labels[7])
    assert 0 <= image.min() <= image.max() <= 1
    assert type(example_id) is int
    np.testing.assert_array_equal(train.image(7), (image[0] * 255).numpy().astype(np.uint8))
    assert train.image(7).dtype == np.uint8


def write_mnist(path, count=20):
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for split in ("train", "test"):
        arrays[f"x_{split}"] = pixels(len(split), count * 28, 28, 1).reshape(count, 28, 28)
        arrays[f"y_{split}"] = np.arange(count, dtype=np.uint8) % 10
    np.savez(path, **arrays)
    return arrays


@pytest.mark.parametrize("name", ["mnist/mnist.npz", "mnist.npz"])
@pytest.mark.parametrize("by", ["root", "environment"])
def test_mnist_from_an_npz(tmp_path, monkeypatch, name, by):
    arrays = write_mnist(tmp_path / name)
    monkeypatch.setenv("CURATE_DATA", str(tmp_path if by == "environment" else "/nowhere"))
    data = load("mnist", "test", root=tmp_path if by == "root" else None)
    np.testing.assert_array_equal(data.arrays()[0][:, 0].numpy(), arrays["x_test"])
    assert data.labels.tolist() == arrays["y_test"].tolist()
    assert data.ids.tolist() == list(range(20))
    np.testing.assert_array_equal(data.image(3), arrays["x_test"][3])


def test_an_npz_with_pickles_or_other_shapes_is_refused(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=np.array([{}], object), y_train=np.zeros(1))
    with pytest.raises(CurateError, match="is not an MNIST .npz"):
        load("mnist", root=tmp_path)
    np.savez(path, x_train=np.zeros((3, 28, 27), np.uint8), y_train=np.zeros(3))
    with pytest.raises(CurateError, match=r"of shape \(3, 28, 27\)"):
        load("mnist", root=tmp_path)
    path.write_bytes(b"PK torn")
    with pytest.raises(CurateError, match="is not an MNIST .npz"):
        load("mnist", root=tmp_path)


def test_cifar10_from_a_parquet_file_in_index_order(tmp_path):
    pictures = [encoded(pixels(seed, 32, 32), "JPEG") for seed in range(8)]
    order = [2, 0, 3, 1]
    table = pa.table(
        {
            "split": ["train"] * 4 + ["test"] * 4,
            "index": pa.array(order + order, pa.int32()),
            "label": pa.array([2, 0, 3, 1, 6, 4, 7, 5], pa.int8()),
            "image": [pictures[i] for i in (2, 0, 3, 1, 6, 4, 7, 5)],
        }
    )
    pq.write_table(table, tmp_path / "cifar10_jpeg.parquet")
    data = load("cifar10", "test", root=tmp_path)
    assert (data.ids.tolist(), data.labels.tolist()) == ([0, 1, 2, 3], [4, 5, 6, 7])
    assert (data.shape, data.class_names[4]) == ((3, 32, 32), "deer")
    values, _ = data.arrays()
    for position in range(4):
        wanted = np.asarray(Image.open(io.BytesIO(pictures[4 + position])))
        np.testing.assert_array_equal(values[position].numpy(), wanted.transpose(2, 0, 1))
        np.testing.assert_array_equal(data.image(position), wanted)
        assert data.encoded[position] == pictures[4 + position]


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_without_a_copy_torchvision_downloads_and_failing_says_what_to_do(
    tmp_path, monkeypatch, name
):
    import torchvision

    asked = []

    class Loader:
        data = np.zeros((2, 32, 32, 3), np.uint8)
        targets = (3, 4)

        def __init__(self, folder, train, download):
            asked.append((folder, train, download))
            if name == "mnist":
                self.data = torch.zeros(2, 28, 28, dtype=torch.uint8)
                self.targets = torch.tensor([3, 4])

    class Offline:
        def __init__(self, folder, train, download):
            raise RuntimeError("Error downloading it")

    monkeypatch.setattr(torchvision.datasets, name.upper(), Loader)
    data = load(name, "test", root=tmp_path)
    assert asked == [(str(tmp_path), False, True)]
    assert data.labels.tolist() == [3, 4]
    assert data[0][0].shape == data.shape
    monkeypatch.setattr(torchvision.datasets, name.upper(), Offline)
    with pytest.raises(CurateError) as caught:
        load(name, root=tmp_path)
    said = str(caught.value)
    assert all(word in said for word in ("--data", "CURATE_DATA", "Error downloading", name))
    with pytest.raises(CurateError, match="root: there is no folder"):
        load(name, root=tmp_path / "nowhere")


def test_a_copy_in_torchvisions_layout_is_found(tmp_path, monkeypatch):
    import torchvision

    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "cifar-10-batches-py").mkdir()
    monkeypatch.setenv("CURATE_DATA", str(tmp_path))
    folders = []

    def loader(folder, train, download):
        folders.append(folder)
        raise OSError("seen")

    for name in ("mnist", "cifar10"):
        monkeypatch.setattr(torchvision.datasets, name.upper(), loader)
        monkeypatch.setattr("curate.data.known.local_copy._folders", lambda root: [tmp_path])
        with pytest.raises(CurateError, match="seen"):
            load(name)
    assert folders == [str(tmp_path)] * 2


def test_a_hugging_face_set_in_a_local_folder(tmp_path):
    write_folder(tmp_path / "set", ["train/a/1.png", "train/b/1.png", "test/b/2.png"])
    train, test = load(f"hf:{tmp_path / 'set'}"), load(f"hf:{tmp_path / 'set'}", "test")
    assert train.class_names == test.class_names == ["a", "b"]
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1], [1])
    assert test.encoded[0] == (tmp_path / "set/test/b/2.png").read_bytes()
    assert test[0][0].shape == (3, 8, 8)


def test_a_hugging_face_set_without_test_split(tmp_path):
    write_folder(tmp_path / "own", [f"{label}/{n}.png" for label in "ab" for n in range(10)])
    name = f"hf:{tmp_path / 'own'}"
    train, test = load(name), load(name, "test", size=4)
    assert (len(train), len(test)) == (16, 4)
    assert test[0][0].shape == (3, 4, 4)
    assert not set(train.ids) & set(test.ids)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("digits", "validation"), "split: 'validation'; give 'train' or 'test'"),
        (("nowhere/at/all",), "no file or folder here and no known set"),
        (("hf:",), "lacks a name"),
    ],
)
def test_what_cannot_be_loaded_is_named(arguments, words):
    with pytest.raises(CurateError) as caught:
        load(*arguments)
    assert words in str(caught.value)


def test_a_name_that_the_hub_lacks_is_named(monkeypatch):
    def fail(*_, **__):
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(CurateError, match="cannot load 'no/such' .*no route to the hub"):
        load("hf:no/such")


def test_sets_of_one_size_take_no_size(tmp_path):
    with pytest.raises(CurateError, match="size: the images of 'digits' have one size"):
        load("digits", size=4)
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(CurateError, match="neither a folder nor"):
        load(tmp_path / "a.txt")


@pytest.mark.parametrize(("name", "count"), [("mnist", 10_000), ("cifar10", 10_000)])
def test_the_real_sets(real_data, name, count):
    data = load(name, "test", root=real_data)
    values, labels = data.arrays()
    assert len(data) == len(values) == len(labels) == count
    assert data.ids.tolist() == list(range(count))
    assert np.bincount(data.labels).min() > 0.8 * count / 10
    assert torch.equal(values[5].float() / 255, data[5][0])


def test_real_photos(real_data):
    path = real_data / "natural-images" / "office_caltech10_64.parquet"
    train, test = load(path, size=32), load(path, "test", size=32)
    assert len(train) + len(test) == 2533
    assert len(train.class_names) == 40
    assert train.image(0).shape == (64, 64, 3)
    assert train[0][0].shape == (3, 32, 32)


def test_only_named_folders_are_searched(tmp_path, monkeypatch):
    (tmp_path / "mnist.npz").write_bytes(b"")
    monkeypatch.delenv("CURATE_DATA", raising=False)
    assert find_copy(None, "mnist.npz") is None
    assert find_copy(tmp_path, "mnist.npz") == tmp_path / "mnist.npz"
    monkeypatch.setenv("CURATE_DATA", str(tmp_path))
    assert find_copy(None, "mnist.npz") == tmp_path / "mnist.npz"
