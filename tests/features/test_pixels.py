import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from curate.bias import Source, as_sources
from curate.errors import CurateError
from curate.features import pixels
from tests.data.pictures import encoded, write_folder
from tests.data.pictures import pixels as drawn


def of_files(*contents):
    return Source("files", np.arange(len(contents)), encoded=list(contents))


def test_what_has_the_size_is_not_resampled():
    pictures = [drawn(seed) for seed in range(3)]
    found = pixels(of_files(*map(encoded, pictures)), 8)
    assert (found.dtype, found.shape) == (torch.uint8, (3, 3, 8, 8))
    assert found.is_contiguous()
    np.testing.assert_array_equal(found.permute(0, 2, 3, 1).numpy(), np.stack(pictures))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 23), (40, 17), (5, 5), (200, 300)])
@pytest.mark.parametrize("channels", [1, 3])
def test_files_and_arrays_of_the_same_pixels_give_the_same(height, width, channels):
    pictures = [drawn(seed, height, width, channels) for seed in range(3)]
    stacked = torch.from_numpy(np.stack(pictures))
    stacked = stacked[:, None] if channels == 1 else stacked.permute(0, 3, 1, 2)
    arrays = Source("arrays", np.arange(3), pixels=stacked)
    files = pixels(of_files(*map(encoded, pictures)), 8)
    assert torch.equal(pixels(arrays, 8), files)


def test_the_central_square_is_cut():
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = drawn(0)
    found = pixels(of_files(encoded(wide), encoded(wide.transpose(1, 0, 2).copy())), 8)
    np.testing.assert_array_equal(found[0].permute(1, 2, 0).numpy(), drawn(0))
    np.testing.assert_array_equal(found[1].permute(2, 1, 0).numpy(), drawn(0))


def test_shrinking_is_antialiased():
    checks = np.indices((128, 128)).sum(0) % 2 * 255
    found = pixels(of_files(encoded(checks.astype(np.uint8))), 32)
    assert found.float().sub(127.5).abs()[..., 2:-2, 2:-2].max() < 16


def test_every_way_to_store_a_colour_gives_it():
    flat = np.zeros((8, 8, 3), np.uint8)
    flat[:] = (200, 100, 50)
    image = Image.fromarray(flat)
    ways = [
        encoded(flat),
        encoded(flat, "WEBP", lossless=True),
        encoded(flat, "JPEG", quality=100, subsampling=0),
        _saved(image.convert("RGBA"), "PNG"),
        _saved(image.quantize(4), "PNG"),
    ]
    found = pixels(of_files(*ways), 8).int()
    assert (found - found[0]).abs().max() <= 2  # JPEG rounds
    grey = np.full((8, 8), 90, np.uint8)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    ways = [encoded(grey), _saved(Image.fromarray(grey).convert("LA"), "PNG"), _saved(deep, "PNG")]
    assert pixels(of_files(*ways), 8).unique().tolist() == [90]


def test_pictures_lie_upright():
    exif = Image.Exif()
    exif[274] = 6
    turned = Image.fromarray(drawn(0))
    stream = io.BytesIO()
    turned.save(stream, "PNG", exif=exif)
    found = pixels(of_files(stream.getvalue()), 8)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found, np.rot90(drawn(0), -1))


def test_batches_do_not_matter(monkeypatch):
    source = of_files(*[encoded(drawn(seed, 9, 12)) for seed in range(11)])
    whole = pixels(source, 8)
    for batch in (1, 3, 11):
        monkeypatch.setattr(sys.modules["curate.features._pixels"], "BATCH", batch)
        assert torch.equal(pixels(source, 8), whole)


def test_a_torn_picture_is_named_with_its_source(tmp_path):
    contents = write_folder(tmp_path, ["a.png", "b.png"])
    (tmp_path / "b.png").write_bytes(contents["b.png"][:-40])
    source = as_sources({"mine": tmp_path})[0]
    with pytest.raises(CurateError, match=r"source 'mine': .*example 'b.png' cannot be decoded"):
        pixels(source, 8)


def test_features_are_no_pictures():
    source = as_sources({"numbers": torch.zeros(3, 2)})[0]
    with pytest.raises(CurateError, match="'numbers': its examples are features"):
        pixels(source)
    with pytest.raises(CurateError, match="size: 0"):
        pixels(of_files(encoded(drawn(0))), 0)


def _saved(image, kind):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()
