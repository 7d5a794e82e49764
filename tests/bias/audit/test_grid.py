"""Where JPEG's blocks lie, and what is said where they lie elsewhere or are gone."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from curate.bias import Source, nuisance_audit
from curate.bias.audit.explained import explains, on_the_border, rank
from curate.bias.audit.grid import Grids, grid_place
from curate.bias.audit.layout import layout
from tests.bias.audit.test_audit import photographs
from tests.bias.audit.test_nuisances import saved

COUNT = 120


@pytest.fixture(scope="module")
def pictures():
    """Photographs that were JPEG files once."""
    return [Image.open(io.BytesIO(saved(one, "JPEG", quality=85))) for one in photographs(240, 7)]


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize("down", range(0, 8, 3))
@pytest.mark.parametrize("right", [0, 1, 6])
def test_the_place_is_where_the_picture_was_cut(pictures, down, right):
    cut = [np.asarray(one)[down:, right:] for one in pictures[:40]]
    place, clear = grid_place(cut)
    assert clear > 0.2
    assert place == (-down % 8, -right % 8)


def test_pictures_without_blocks_have_no_place():
    assert grid_place([np.asarray(one) for one in photographs(40, 8)])[0] is None
    turned = [one.rotate(3, Image.Resampling.BICUBIC) for one in photographs(40, 8)]
    assert grid_place([np.asarray(one) for one in turned])[0] is None
    assert grid_place([np.zeros((9, 9), np.uint8)] * 20)[0] is None
    assert grid_place([np.full((40, 40), 7, np.uint8)] * 20)[0] is None


def sources(pictures, change):
    half = len(pictures) // 2
    return [
        Source("a", np.arange(half), encoded=[saved(one) for one in pictures[:half]]),
        Source("b", np.arange(half), encoded=[change(one) for one in pictures[half:]]),
    ]


@pytest.mark.parametrize("offset", [(1, 1), (0, 3)])
def test_a_crop_is_a_crop_and_not_a_quality(pictures, offset):
    down, right = offset
    whole = [one.crop((0, 0, 56, 56)) for one in pictures[:COUNT]]
    cut = [one.crop((right, down, 56 + right, 56 + down)) for one in pictures[COUNT:]]
    parts = sources([*whole, *cut], saved)
    grids = Grids(parts, [np.arange(0, COUNT, 2)] * 2)
    accuracy, p_value = grids.moved(0, 1)
    assert accuracy > 0.9
    assert p_value < 1e-9
    warnings = nuisance_audit(parts).warnings
    assert [one.cause for one in warnings if one.certain] == ["crop offset"]


def test_a_turn_that_wiped_blocks_out_is_no_quality(pictures):
    def turned(image):
        return saved(image.rotate(2, Image.Resampling.BICUBIC).crop((4, 4, 60, 60)))

    cut = [one.crop((0, 0, 56, 56)) for one in pictures[:COUNT]]
    parts = sources([*cut, *pictures[COUNT:]], turned)
    parts[0] = Source("a", np.arange(COUNT), encoded=[saved(one) for one in cut])
    found = {one.cause: one.certain for one in nuisance_audit(parts).warnings}
    assert "JPEG quality" not in found
    assert {"resizing filter", "grain or sharpness", "aspect ratio", "orientation"} & set(found)


def test_what_was_never_a_jpeg_is_said_with_a_hedge():
    pictures = photographs(2 * COUNT, 7)
    parts = sources(
        pictures, lambda image: saved(Image.open(io.BytesIO(saved(image, "JPEG", quality=75))))
    )
    (warning,) = nuisance_audit(parts).warnings
    assert (warning.cause, warning.certain) == ("JPEG quality", False)
    assert "wiped such traces out" in warning.text


def test_layouts_of_other_formats_and_ends():
    one, other = photographs(2, 0)
    for kind, options in (("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})):
        assert layout(saved(one, kind)) == layout(saved(other, kind))
        assert layout(saved(one, kind)) != layout(saved(one, kind, **options))
    for kind in ("PNG", "JPEG", "WEBP"):
        assert layout(saved(one, kind)) != layout(saved(one, kind) + b"more")
    for torn in (b"II*\0", b"MM\0*\0\0\0\x09", b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WEBPVP8 "):
        assert isinstance(layout(torn), str)
    tag = struct.pack("<HHII", 259, 3, 1, 5)
    made = b"II*\0" + struct.pack("<IH", 8, 1) + tag
    assert layout(made) == "II 259=5"


def test_order_of_causes():
    assert rank("stored mode", False, 1.0) < rank("chroma subsampling", False, 1.0)
    assert rank("metadata", False, 1.0) < rank("writer", False, 1.0)
    assert on_the_border("fixed place", {"border": 0.9, "fixed place": 0.99})
    assert not on_the_border("fixed place", {"border": 0.7, "fixed place": 0.99})
    assert explains("fixed place", 0.95, "border", True, 0.7)
    assert not explains("fixed place", 0.95, "border", True, 0.9)
