"""Outlines and colour in one vector: shapes, dtypes, and what it sees that HOG does not."""

import torch

from curate.features import FEATURES, hog


def test_it_holds_hog_and_the_colours():
    function = FEATURES["hog+colour"].make()
    images = torch.randint(0, 256, (5, 3, 64, 64), dtype=torch.uint8)
    found = function(images)
    assert found.shape == (5, 2048)
    assert found.dtype == torch.float32
    assert torch.equal(found[:, :1764], hog(images))
    cells = images.float().view(5, 3, 8, 8, 8, 8).mean((3, 5)).flatten(1) / 255
    torch.testing.assert_close(found[:, 1764 : 1764 + 192], cells)
    torch.testing.assert_close(function(images.float() / 255)[:, 1764:], found[:, 1764:])
    assert function(images[:0]).shape == (0, 2048)
    grey = images[:, :1]
    assert function(grey).shape == (5, 2048)


def test_contrast_is_a_difference_of_means():
    function = FEATURES["hog+colour"].make()
    images = torch.randint(0, 256, (40, 3, 64, 64), dtype=torch.uint8)
    flat = (images.float() * 0.5 + 64).round().to(torch.uint8)
    one, other = (function(part)[:, 1764 + 256 :] for part in (images, flat))
    gap = (one.mean(0) - other.mean(0)).abs() / one.std(0)
    assert gap.max() > 3
