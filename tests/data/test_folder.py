import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from curate.data import folder, load
from curate.errors import CurateError
from tests.data.pictures import encoded, pixels, write_folder


def test_a_sample_is_the_picture_its_class_and_its_path(tmp_path):
    names = ["cat/2.png", "cat/10.png", "dog/deep/er/1.png", "dog/é ß.png"]
    write_folder(tmp_path, names)
    data = folder(tmp_path)
    assert data.class_names == ["cat", "dog"]
    assert sorted(data.ids) == sorted(names)
    assert data.dataset.classes == ["cat", "dog"]
    for position, name in enumerate(data.ids):
        values, label, example_id = data[position]
        wanted = pixels(names.index(name))
        assert example_id == name
        assert label == data.labels[position] == (0 if name.startswith("cat") else 1)
        assert values.dtype == torch.float32
        np.testing.assert_array_equal(values.numpy(), wanted.transpose(2, 0, 1) / np.float32(255))
        np.testing.assert_array_equal(data.image(position), wanted)
        assert data.encoded[position] == (tmp_path / name).read_bytes()
    assert data.values is None  # nothing decoded is held


def test_arrays_are_all_samples(tmp_path):
    write_folder(tmp_path, [f"{label}/{n}.png" for label in "ab" for n in range(5)], channels=1)
    data = folder(tmp_path)
    values, labels = data.arrays()
    assert (values.dtype, values.shape, data.shape) == (torch.uint8, (10, 1, 8, 8), (1, 8, 8))
    for position, (sample, label, _) in enumerate(data):
        assert torch.equal(values[position].float() / 255, sample)
        assert labels[position] == label


def test_sizes_differ_and_samples_have_the_median_or_the_size_asked_for(tmp_path):
    for number, (height, width) in enumerate([(4, 6), (8, 10), (100, 12)]):
        write_folder(tmp_path, [f"a/{number}.png"], height=height, width=width)
    data = folder(tmp_path)
    assert data.shape == (3, 8, 10)
    assert [data.image(row).shape[0] for row in range(3)] == [4, 8, 100]
    assert next(iter(DataLoader(data, batch_size=3)))[0].shape == (3, 3, 8, 10)
    assert folder(tmp_path, size=5)[0][0].shape == (3, 5, 5)
    assert folder(tmp_path, size=(5, 7)).arrays()[0].shape == (3, 3, 5, 7)
    with pytest.raises(CurateError, match="size: 0; give"):
        folder(tmp_path, size=0)


def test_large_pictures_are_scaled_down_by_default(tmp_path):
    write_folder(tmp_path, ["a/0.png"], height=100, width=448)
    assert folder(tmp_path).shape == (3, 50, 224)


def test_every_mode_of_picture_becomes_grey_or_colour(tmp_path):
    (tmp_path / "a").mkdir()
    grey = pixels(0, channels=1)
    for mode in ("L", "1", "LA", "I;16"):
        place = tmp_path / "a" / f"{mode}.png"
        if mode == "I;16":
            Image.fromarray(grey.astype(np.uint16) * 257).save(place)
        else:
            Image.fromarray(grey).convert(mode).save(place)
    data = folder(tmp_path)
    assert data.shape == (1, 8, 8)
    for position, name in enumerate(data.ids):
        wanted = np.where(grey >= 128, 255, 0) if name == "a/1.png" else grey
        if name == "a/1.png":
            assert set(np.unique(data.image(position))) == {0, 255}
        else:
            np.testing.assert_array_equal(data.image(position), wanted)
    colour = pixels(1, channels=4)
    Image.fromarray(colour).save(tmp_path / "a" / "rgba.png")
    Image.fromarray(pixels(2)).convert("P").save(tmp_path / "a" / "p.png")
    Image.fromarray(pixels(2)).convert("CMYK").save(tmp_path / "a" / "cmyk.jpg")
    data = folder(tmp_path)
    assert data.shape == (3, 8, 8)
    assert all(sample.shape == (3, 8, 8) for sample, _, _ in data)
    np.testing.assert_array_equal(data.image(data.ids.index("a/rgba.png")), colour[:, :, :3])


def test_pictures_lie_upright(tmp_path):
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    picture = pixels(0, height=4, width=8)
    Image.fromarray(picture).save(tmp_path / "a/1.png", exif=exif)
    np.testing.assert_array_equal(folder(tmp_path).image(0), np.rot90(picture, -1))


def test_splits_that_are_there_are_taken(tmp_path):
    write_folder(tmp_path, ["train/a/1.png", "train/b/1.png", "train/b/2.png", "val/b/9.png"])
    train, test = load(tmp_path), load(str(tmp_path), "test")
    assert train.ids == ["a/1.png", "b/1.png", "b/2.png"]
    assert test.ids == ["b/9.png"]
    assert test.labels.tolist() == [1]  # numbered as in training
    assert train.class_names == test.class_names == ["a", "b"]
    with pytest.raises(CurateError, match="split: .* has the splits 'train' and 'val'"):
        folder(tmp_path)
    write_folder(tmp_path, ["val/c/1.png"])
    with pytest.raises(CurateError, match="the class 'c' is in .*val"):
        load(tmp_path, "test")


def test_the_test_split_has_the_shape_of_the_training_split(tmp_path):
    write_folder(tmp_path / "train", ["a/1.png"], height=6, width=7, channels=1)
    write_folder(tmp_path / "test", ["a/1.png"], height=9, width=9)
    assert load(tmp_path, "test").shape == load(tmp_path).shape == (1, 6, 7)


def test_a_fifth_is_held_out_where_there_is_no_test_split(tmp_path):
    write_folder(tmp_path, [f"{label}/{n}.png" for label in ("test", "train") for n in range(10)])
    train, test = load(tmp_path), load(tmp_path, "test")  # classes of that name are no splits
    assert np.bincount(train.labels).tolist() == [8, 8]
    assert np.bincount(test.labels).tolist() == [2, 2]
    assert sorted([*train.ids, *test.ids]) == sorted(folder(tmp_path).ids)
    for data in (train, test):
        for position, name in enumerate(data.ids):
            assert data.encoded[position] == (tmp_path / name).read_bytes()


def test_it_can_be_pickled(tmp_path):
    write_folder(tmp_path, ["a/1.png", "b/1.png"])
    again = pickle.loads(pickle.dumps(folder(tmp_path)))
    assert again[1][2] == "b/1.png"


@pytest.mark.parametrize(
    ("names", "words"), [([], "holds no class folders"), (["a/readme.txt"], "hold no images")]
)
def test_folders_without_pictures_are_named(tmp_path, names, words):
    for name in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("no picture")
    with pytest.raises(CurateError, match="path: ") as caught:
        folder(tmp_path)
    assert words in str(caught.value)
    with pytest.raises(CurateError, match="there is no folder"):
        folder(tmp_path / "nowhere")


def test_broken_and_vanished_pictures_are_named(tmp_path):
    contents = write_folder(tmp_path, [f"a/{number}.png" for number in range(3)])
    (tmp_path / "a/1.png").write_bytes(contents["a/1.png"][:-90])
    data = folder(tmp_path)
    (tmp_path / "a/2.png").unlink()
    with pytest.raises(CurateError, match=r"the image of example 'a/1.png' cannot be decoded"):
        data[1]
    with pytest.raises(CurateError, match=r"2.png' cannot be read"):
        data[2]
    (tmp_path / "a/0.png").write_bytes(b"not a picture")
    with pytest.raises(CurateError, match="position 0 is not an image"):
        folder(tmp_path)


def test_jpeg_decodes_as_pillow_does(tmp_path):
    write_folder(tmp_path, ["a/1.jpg"], height=16, width=16)
    with Image.open(tmp_path / "a/1.jpg") as image:
        np.testing.assert_array_equal(folder(tmp_path).image(0), np.asarray(image))
    assert encoded(pixels(0)) != (tmp_path / "a/1.jpg").read_bytes()
