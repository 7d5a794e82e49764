import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.bias import as_sources
from curate.errors import CurateError
from curate.features import hog, pixels

skimage_feature = pytest.importorskip("skimage.feature")


def by_skimage(images, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2)):
    found = [
        skimage_feature.hog(
            image,
            orientations=orientations,
            pixels_per_cell=pixels_per_cell,
            cells_per_block=cells_per_block,
            block_norm="L2-Hys",
            channel_axis=0,
        )
        for image in images.numpy()
    ]
    return np.stack(found)


def some_images(seed, shape, dtype, levels=256):
    drawn = np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint8)
    images = torch.from_numpy(drawn)
    return images if dtype == torch.uint8 else images.to(dtype) / 255


@given(
    seed=st.integers(0, 99),
    channels=st.integers(1, 5),
    extra=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    cell=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    block=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    orientations=st.integers(1, 18),
    dtype=st.sampled_from([torch.uint8, torch.float32, torch.float64]),
    levels=st.sampled_from([1, 2, 3, 256]),  # few levels: many ties, at 0, 45, 90 and 135 degrees
)
@settings(max_examples=150, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_it_is_scikit_images(seed, channels, extra, cell, block, orientations, dtype, levels):
    height, width = (c * b + e for c, b, e in zip(cell, block, extra, strict=True))
    if min(height, width) < 3:
        height, width = height + 3, width + 3  # scikit-image needs a pixel with neighbours
    images = some_images(seed, (2, channels, height, width), dtype, levels)
    found = hog(images, orientations, cell, block)
    wanted = by_skimage(images, orientations, cell, block)
    assert (found.dtype, found.shape) == (torch.float32, wanted.shape)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("orientations", [4, 8, 9, 12])
def test_every_integer_direction_is_in_its_bin(dtype, orientations):
    """All (gx, gy) of -20..20, one a cell: images that are zero but for a cross of four pixels."""
    steps = np.array([(x, y) for x in range(-20, 21) for y in range(-20, 21)])
    images = np.full((len(steps), 1, 3, 3), 20, np.uint8)
    for place, along in (((1, 2), 0), ((2, 1), 1)):
        images[(slice(None), 0, *place)] = np.maximum(steps[:, along], 0)
    images[:, 0, 1, 0] = np.maximum(-steps[:, 0], 0)
    images[:, 0, 0, 1] = np.maximum(-steps[:, 1], 0)
    images = torch.from_numpy(images).to(dtype)
    found = hog(images, orientations, 3, 1)
    np.testing.assert_allclose(
        found.numpy(), by_skimage(images, orientations, (3, 3), (1, 1)), atol=1e-5, rtol=0
    )


def test_photos(real_data):
    source = as_sources([real_data / "natural-images/imagenet_sample512_224.parquet"])[0]
    images = pixels(source.take(np.arange(40)), 96)
    np.testing.assert_allclose(hog(images).numpy(), by_skimage(images), atol=1e-5, rtol=0)
    values = images.float() / 255
    np.testing.assert_allclose(hog(values).numpy(), by_skimage(values), atol=1e-5, rtol=0)


def test_one_cell_as_large_as_the_image():
    images = some_images(0, (1, 3, 600, 600), torch.uint8)
    np.testing.assert_allclose(
        hog(images, 9, 600, 1).numpy(), by_skimage(images, 9, (600, 600), (1, 1)), atol=1e-5, rtol=0
    )


def test_grey_is_its_copies_in_three_channels():
    grey = some_images(1, (3, 1, 20, 33), torch.uint8)
    assert torch.equal(hog(grey), hog(grey.expand(-1, 3, -1, -1)))


def test_bytes_are_numbers_taken_as_they_are():
    images = some_images(2, (3, 3, 24, 24), torch.uint8)
    for dtype in (torch.float32, torch.float64, torch.float16):
        torch.testing.assert_close(hog(images.to(dtype)), hog(images), atol=1e-6, rtol=0)


def test_so_many_channels_and_directions_that_the_table_does_not_hold():
    images = some_images(3, (1, 300, 8, 8), torch.uint8)
    np.testing.assert_allclose(
        hog(images, 300, 4, 1).numpy(), by_skimage(images, 300, (4, 4), (1, 1)), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_neither_batch_nor_order_matters(monkeypatch, dtype):
    images = some_images(4, (23, 3, 40, 40), dtype)
    whole = hog(images)
    order = torch.from_numpy(np.random.default_rng(0).permutation(23))
    assert torch.equal(hog(images[order]), whole[order])
    assert torch.equal(torch.cat([hog(image[None]) for image in images]), whole)
    module = sys.modules["curate.features._hog"]
    for at_once in (1, 3 * 1600 * 5, 1 << 30):
        monkeypatch.setattr(module, "_VALUES_AT_ONCE", at_once)
        monkeypatch.setattr(module, "_NORMALISED_AT_ONCE", 1 + at_once % 7)
        assert torch.equal(hog(images), whole)


def test_strides_do_not_matter_and_images_stay_as_they_are():
    images = some_images(5, (4, 32, 32, 3), torch.uint8).permute(0, 3, 1, 2)
    before = images.clone()
    assert torch.equal(hog(images), hog(images.contiguous()))
    assert torch.equal(images, before)
    parameter = torch.rand(1, 1, 16, 16, requires_grad=True)
    assert not hog(parameter).requires_grad


def test_no_images_give_no_rows():
    for dtype in (torch.uint8, torch.float32):
        assert hog(torch.zeros((0, 3, 96, 96), dtype=dtype)).shape == (0, 11 * 11 * 36)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_no_number_stays_in_its_image(dtype):
    images = some_images(7, (3, 3, 24, 24), dtype)
    wanted = hog(images)
    images[1, 1, 4, 4] = torch.nan
    found = hog(images)
    assert found[1].isnan().any()
    assert torch.equal(found[::2], wanted[::2])


def test_flat_images_are_zero():
    assert hog(torch.full((2, 3, 16, 16), 200, dtype=torch.uint8)).count_nonzero() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros((1, 3, 16, 16)),), "images: a ndarray"),
        ((torch.zeros(3, 16, 16),), r"images: of shape \(3, 16, 16\)"),
        ((torch.zeros(1, 0, 16, 16),), "images: of shape"),
        ((torch.zeros(1, 3, 16, 16, dtype=torch.int64),), "images: of type torch.int64"),
        ((torch.zeros(1, 3, 15, 16),), "15×16 pixels hold no block; give at least 16×16"),
        ((torch.zeros(1, 3, 16, 16), 0), "orientations: 0"),
        ((torch.zeros(1, 3, 16, 16), 9, 0), "pixels_per_cell: 0"),
        ((torch.zeros(1, 3, 16, 16), 9, 8, (2, 2, 2)), "cells_per_block: "),
    ],
)
def test_what_cannot_be_used_is_named(arguments, words):
    with pytest.raises(CurateError, match=words):
        hog(*arguments)


def test_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for dtype in (torch.uint8, torch.float32):
        images = some_images(6, (70, 3, 96, 90), dtype)
        found = hog(images.cuda())
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), hog(images), atol=1e-5, rtol=0)
