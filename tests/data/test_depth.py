"""Pixels of more than 8 bits keep what they show, whatever file and range they come in."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from curate.bias import as_sources
from curate.data import as_example_set, folder, load, open_view, parquet
from curate.data.pixels import decode
from curate.errors import CurateError
from tests.data.pictures import encoded, pixels

RNG = np.random.default_rng(0)


def png16(array):
    """A PNG of 16 bits per channel, uint16 of 2, 3 or 4 channels: Pillow cannot write one."""
    height, width, channels = array.shape

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    colour = {2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def write(root, arrays, ending="tif"):
    """One image a class and array, a folder of classes "0", "1" …"""
    for number, array in enumerate(arrays):
        (root / str(number)).mkdir(parents=True)
        if isinstance(array, bytes):
            (root / str(number) / f"0.{ending}").write_bytes(array)
        else:
            Image.fromarray(array).save(root / str(number) / f"0.{ending}")
    return root


def ints(high, dtype, low=0):
    array = RNG.integers(low, high, (16, 16)).astype(dtype)
    array.flat[:2] = low, high - 1
    return array


@pytest.mark.parametrize(
    ("array", "ending", "shift"),
    [
        (ints(46, np.uint16), "png", 0),
        (ints(256, np.uint16), "png", 0),
        (ints(1024, np.uint16), "tif", 2),
        (ints(4096, np.uint16), "png", 4),
        (ints(4096, np.uint16), "tif", 4),
        (ints(65536, np.uint16), "png", 8),
        (ints(256, np.int32), "tif", 0),
        (ints(4096, np.int32), "tif", 4),
        (ints(1 << 20, np.int32), "tif", 12),
    ],
)
def test_integers_keep_the_upper_8_of_the_bits_that_they_use(tmp_path, array, ending, shift):
    data = folder(write(tmp_path / "f", [array], ending))
    assert data.shape == (1, 16, 16)
    np.testing.assert_array_equal(data.image(0), array.astype(np.int64) >> shift)
    np.testing.assert_array_equal(data.arrays()[0][0, 0], array.astype(np.int64) >> shift)


@pytest.mark.parametrize("scale", [1.0, 255.0, 4000.0, 1e-3])
def test_floats_keep_their_order(tmp_path, scale):
    array = (RNG.random((16, 16)) * scale).astype(np.float32)
    seen = folder(write(tmp_path / "f", [array])).image(0)
    order = np.argsort(array.ravel())
    assert (np.diff(seen.ravel()[order].astype(int)) >= 0).all()
    assert scale == 1e-3 or len(np.unique(seen)) > 50  # 0..0.001 is black where white is 1


def test_negative_numbers_are_stretched_over_the_range(tmp_path):
    scan = ints(3071, np.int32, low=-1024)  # Hounsfield units
    seen = folder(write(tmp_path / "f", [scan])).image(0)
    wanted = np.rint((scan + 1024.0) * (255 / (3070 + 1024)))
    np.testing.assert_array_equal(seen, wanted)
    assert (seen.min(), seen.max()) == (0, 255)


@pytest.mark.parametrize("alpha", [False, True])
def test_colours_of_16_bits_keep_theirs_too(tmp_path, alpha):
    array = RNG.integers(0, 4096, (8, 6, 3 + alpha)).astype(np.uint16)
    array[0, 0] = 4095
    data = folder(write(tmp_path / "f", [png16(array)], "png"))
    np.testing.assert_array_equal(data.image(0), array[:, :, :3] >> 4)
    full = np.concatenate([array, array]) << 4
    np.testing.assert_array_equal(decode(png16(full), "x"), full[:, :, :3] >> 8)


def test_colours_of_16_bits_in_a_tiff(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    array = RNG.integers(0, 4096, (8, 6, 3)).astype(np.uint16)
    array[0, 0] = 4095
    for order in "<>":
        for options in ({}, {"rowsperstrip": 2}, {"compression": "zlib", "rowsperstrip": 3}):
            stream = io.BytesIO()
            tifffile.imwrite(stream, array, photometric="rgb", byteorder=order, **options)
            np.testing.assert_array_equal(decode(stream.getvalue(), "x"), array >> 4)


def test_grey_of_16_bits_with_transparency(tmp_path):
    array = RNG.integers(0, 4096, (8, 6, 2)).astype(np.uint16)
    array[0, 0] = 4095
    np.testing.assert_array_equal(decode(png16(array), "x"), array[:, :, 0] >> 4)


def test_all_images_of_a_set_are_scaled_alike(tmp_path):
    """Three classes that differ in brightness only: by itself each image would look the same."""
    dark, light = (np.full((8, 8), level, np.float32) for level in (0.2, 0.6))
    data = folder(write(tmp_path / "f", [dark, light]))
    assert [int(data.image(row).max()) for row in (0, 1)] == [51, 153]
    wide = [np.full((8, 8), level, np.int32) for level in (-10, 10)]
    data = folder(write(tmp_path / "wide", wide))
    assert [int(data.image(row).max()) for row in (0, 1)] == [0, 255]
    view = open_view(torch.utils.data.Subset(data, [1]))
    assert view.image(0).max() == 255  # as in the whole
    [source, _] = as_sources({"one": tmp_path / "wide", "two": tmp_path / "f"})
    assert source.take(np.array([1])).image(0).max() == 255


def test_the_test_split_is_scaled_as_the_training_split(tmp_path):
    write(tmp_path / "f" / "train", [ints(4096, np.uint16)], "png")
    write(tmp_path / "f" / "test", [ints(200, np.uint16)], "png")
    test = load(tmp_path / "f", "test")
    with Image.open(tmp_path / "f" / "test" / "0" / "0.png") as opened:
        np.testing.assert_array_equal(test.image(0), np.asarray(opened).astype(int) >> 4)


def test_tables_and_samples_of_deep_images(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = [ints(4096, np.uint16), ints(4096, np.uint16)]
    table = pa.table({"image": [encoded(array) for array in arrays], "label": [0, 1]})
    pq.write_table(table, tmp_path / "t.parquet")
    data = parquet(tmp_path / "t.parquet")
    for row, array in enumerate(arrays):
        np.testing.assert_array_equal(data.image(row), array >> 4)
    samples = [(Image.fromarray(array), row) for row, array in enumerate(arrays)]
    values = as_example_set(samples).arrays()[0].numpy()
    np.testing.assert_array_equal(values[:, 0], np.stack(arrays) >> 4)
    dark = [(Image.fromarray((arrays[0] >> 8).astype(np.uint16)), 0)]
    tested = as_example_set(dark, like=as_example_set(samples)).arrays()[0].numpy()
    np.testing.assert_array_equal(tested[0, 0], arrays[0] >> 12)


def test_a_float_image_with_nan_is_named(tmp_path):
    array = np.ones((4, 4), np.float32)
    array[1, 2] = np.nan
    data = folder(write(tmp_path / "f", [array]))
    with pytest.raises(CurateError, match=r"image of example '0/0.tif' holds NaN or infinity"):
        data.arrays()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_every_orientation_is_turned_as_pillow_turns_it(orientation, deep):
    exif = Image.Exif()
    exif[0x0112] = orientation
    array = RNG.integers(0, 65536, (4, 6)).astype(np.uint16) if deep else pixels(1, 4, 6)
    array.flat[0] = array.max() if not deep else 65535
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", exif=exif)
    with Image.open(io.BytesIO(stream.getvalue())) as opened:
        wanted = np.asarray(ImageOps.exif_transpose(opened))
    seen = decode(stream.getvalue(), "x")
    np.testing.assert_array_equal(seen, wanted >> 8 if deep else wanted)


MALFORMED = {
    "resolution as text": struct.pack("<HHII", 0x011A, 2, 4, 0x00323720),
    "resolution without bytes": struct.pack("<HHII", 0x011A, 5, 1, 0x7FFFFFFF),
    "unknown type": struct.pack("<HHII", 0x0132, 99, 1, 0),
    "a large count": struct.pack("<HHII", 0x0132, 2, 0xFFFFFFFF, 0),
}


@pytest.mark.parametrize("tag", MALFORMED)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_malformed_exif_tag_does_not_hide_the_picture(tag, format):
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    entries = struct.pack("<H", 2) + orientation + MALFORMED[tag] + bytes(4)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entries
    plain = encoded(pixels(5, 10, 20), format)
    content = encoded(pixels(5, 10, 20), format, exif=exif)
    upright, turned = decode(plain, "x"), decode(content, "x")
    assert np.array_equal(turned, upright) or np.array_equal(turned, np.rot90(upright, -1))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0XX*\0", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_exif_that_is_nonsense_is_ignored(exif):
    content = encoded(pixels(5), "JPEG", exif=exif)
    assert np.array_equal(decode(content, "x"), decode(encoded(pixels(5), "JPEG"), "x"))
