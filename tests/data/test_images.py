"""What counts in an image folder: one rule, told where it leaves something out."""

import os
import warnings

import numpy as np
import pytest
from PIL import Image

from curate.bias import as_sources
from curate.data import folder, load, parquet
from curate.data.formats.images import find_images, image_endings
from curate.errors import CurateError, CurateWarning
from tests.data.pictures import encoded, pixels, write_folder

PLAIN = ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
APPLE = b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(80)


def put(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/0.png",
        "cat/.ipynb_checkpoints/0-checkpoint.png",
        "__MACOSX/cat/._0.png",
        "cat/._0.png",
        "cat/.DS_Store",
        "cat/Thumbs.db",
        "cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg",
        "$RECYCLE.BIN/0.png",
        ".git/objects/0.png",
        "__pycache__/0.png",
        "desktop.ini",
        "README.md",
        "metadata.parquet",
    ],
)
def test_what_is_hidden_or_the_systems_is_no_part_of_the_set(tmp_path, name):
    write_folder(tmp_path, PLAIN)
    put(tmp_path / name, APPLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = folder(tmp_path)
        [source, _] = as_sources({"here": tmp_path, "there": tmp_path})
    assert (data.ids, data.class_names, data.labels.tolist()) == (
        PLAIN,
        ["cat", "dog"],
        [0, 0, 1, 1],
    )
    assert data.dataset.classes == ["cat", "dog"]
    assert [path for path, _ in data.dataset.samples] == [str(tmp_path / name) for name in PLAIN]
    assert data.left_out == {}
    assert (source.ids, source.class_names) == (PLAIN, ("cat", "dog"))


def test_hidden_folders_are_no_reason_to_take_train_for_a_split(tmp_path):
    names = [f"{label}/{number}.png" for label in ("train", "test") for number in range(5)]
    write_folder(tmp_path, names)
    for label in ("train", "test"):
        put(tmp_path / label / ".cache" / "x.png")
    assert folder(tmp_path).class_names == ["test", "train"]


FORMATS = [
    ("gif", "GIF"),
    ("jfif", "JPEG"),
    ("JPE", "JPEG"),
    ("avif", "AVIF"),
    ("jp2", "JPEG2000"),
    ("j2k", "JPEG2000"),
    ("tga", "TGA"),
    ("pcx", "PCX"),
    ("ico", "ICO"),
    ("dds", "DDS"),
    ("pbm", "PPM"),
    ("sgi", "SGI"),
]


@pytest.mark.parametrize(("ending", "format"), FORMATS)
def test_every_format_that_pillow_opens_counts(tmp_path, ending, format):
    if f".{ending.lower()}" not in image_endings():
        pytest.skip(f"this Pillow is built without {format}")
    write_folder(tmp_path, ["cat/0.png", "dog/0.png"], height=16, width=16)
    put(tmp_path / "cat" / f"x.{ending}", encoded(pixels(3, 16, 16), format))
    data = folder(tmp_path)
    assert data.ids == ["cat/0.png", f"cat/x.{ending}", "dog/0.png"]
    with Image.open(tmp_path / "cat" / f"x.{ending}") as opened:
        np.testing.assert_array_equal(data.image(1), np.asarray(opened.convert("RGB")))
    [source, _] = as_sources({"here": tmp_path, "there": tmp_path})
    assert source.ids == data.ids


def test_what_is_left_out_is_said(tmp_path):
    write_folder(tmp_path, [*PLAIN, "outside.png"])
    put(tmp_path / "cat" / "x.heic", b"x")
    put(tmp_path / "cat" / "y.HEIC", b"x")
    put(tmp_path / "dog" / "deep" / "notes.txt", b"x")
    put(tmp_path / "dog" / "noending", b"x")
    with pytest.warns(CurateWarning, match="5 left out, such as 'outside.png'") as caught:
        data = folder(tmp_path)
    assert "2 of a kind that Pillow does not open (.heic)" in str(caught[0].message)
    assert data.ids == PLAIN
    assert data.left_out == {
        "outside.png": "an image outside of any class folder",
        "cat/x.heic": "of a kind that Pillow does not open (.heic)",
        "cat/y.HEIC": "of a kind that Pillow does not open (.heic)",
        "dog/deep/notes.txt": "of a kind that Pillow does not open (.txt)",
        "dog/noending": "without an ending",
    }
    with pytest.warns(CurateWarning, match="4 left out"):
        as_sources({"here": tmp_path, "there": tmp_path})


def test_a_folder_in_which_nothing_counts_is_refused(tmp_path):
    put(tmp_path / ".hidden" / "0.png", encoded(pixels(0)))
    with pytest.raises(CurateError, match="holds no class folders"):
        folder(tmp_path)
    put(tmp_path / "cat" / "._0.png", APPLE)
    with pytest.raises(CurateError, match="hold no images"):
        folder(tmp_path)


def test_links_are_followed_but_not_in_a_circle(tmp_path):
    write_folder(tmp_path / "set", PLAIN)
    os.symlink(tmp_path / "set", tmp_path / "set" / "cat" / "round")
    write_folder(tmp_path / "elsewhere", ["9.png"])
    os.symlink(tmp_path / "elsewhere", tmp_path / "set" / "dog" / "link")
    assert sorted(find_images(tmp_path / "set").names) == [*PLAIN, "dog/link/9.png"]
    os.symlink(tmp_path / "nowhere.png", tmp_path / "set" / "dog" / "2.png")
    with pytest.raises(CurateError, match=r"2.png' cannot be read"):
        folder(tmp_path / "set").arrays()


BROKEN = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:-90],
    "text": lambda content: b"not a picture",
    "head only": lambda content: content[:30],
}


@pytest.mark.parametrize("damage", BROKEN)
@pytest.mark.parametrize("ending", ["png", "jpg", "tga"])
def test_one_broken_file_is_named_or_skipped(tmp_path, damage, ending):
    names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(4)]
    write_folder(tmp_path, names, height=16, width=16)
    content = encoded(pixels(9, 16, 16), {"png": "PNG", "jpg": "JPEG", "tga": "TGA"}[ending])
    put(tmp_path / "dog" / f"9.{ending}", BROKEN[damage](content))
    with pytest.raises(CurateError, match=f"'dog/9.{ending}'"):
        folder(tmp_path).arrays()
    with pytest.warns(CurateWarning, match=f"1 left out, such as 'dog/9.{ending}' .1 broken"):
        data = folder(tmp_path, errors="skip")
    assert data.ids == names
    assert data.left_out == {f"dog/9.{ending}": "broken"}
    assert data.arrays()[0].shape == (8, 3, 16, 16)
    with pytest.warns(CurateWarning):
        both = [load(tmp_path, split, errors="skip") for split in ("train", "test")]
    assert sorted(both[0].ids + both[1].ids) == names


def test_a_broken_cell_of_a_table_is_named_or_skipped(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [encoded(pixels(number)) for number in range(10)]
    images[3] = images[3][:-60]
    images[4] = None
    table = pa.table({"image": images, "label": [0, 1] * 5})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(CurateError, match="example 4, in row 3 of .* holds no image"):
        load(tmp_path / "t.parquet")
    with pytest.warns(CurateWarning, match="2 left out, such as 3 .2 broken"):
        data = parquet(tmp_path / "t.parquet", errors="skip")
    assert list(data.left_out) == [3, 4]
    assert data.ids.tolist() == [0, 1, 2, 5, 6, 7, 8, 9]
    assert data.arrays()[0].shape == (8, 3, 8, 8)
    assert (data.image(3) == pixels(5)).all()
    with pytest.raises(CurateError, match="errors: 'ignore'; give 'raise' or 'skip'"):
        load(tmp_path / "t.parquet", errors="ignore")


def test_a_set_of_broken_images_only_is_refused(tmp_path):
    put(tmp_path / "cat" / "0.png", b"")
    with pytest.raises(CurateError, match="none of the images can be read"):
        folder(tmp_path, errors="skip")
