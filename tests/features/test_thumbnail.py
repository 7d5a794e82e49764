import numpy as np
import pytest
import torch

from curate.errors import CurateError
from curate.features import colour, thumbnail


def some_images(count=5, channels=3, side=64):
    drawn = np.random.default_rng(0).integers(0, 256, (count, channels, side, side))
    return torch.from_numpy(drawn.astype(np.uint8))


def test_at_32_pixels_they_are_the_pixels():
    images = some_images(side=32)
    torch.testing.assert_close(colour(images), images.flatten(1) / 255)
    red, green, blue = images.double().unbind(1)
    grey = (0.299 * red + 0.587 * green + 0.114 * blue) / 255
    torch.testing.assert_close(thumbnail(images), grey.flatten(1).float(), atol=1e-6, rtol=0)


def test_a_ramp_stays_a_ramp():
    ramp = torch.arange(128.0).expand(1, 1, 128, 128) / 128
    rows = thumbnail(ramp).view(32, 32)
    wanted = (4 * torch.arange(32.0) + 1.5) / 128
    torch.testing.assert_close(rows[:, 2:-2], wanted[2:-2].expand(32, -1), atol=1e-6, rtol=0)


def test_fine_stripes_become_grey_rather_than_beats():
    stripes = torch.zeros(1, 1, 96, 96)
    stripes[..., ::2] = 1
    inner = thumbnail(stripes).view(32, 32)[:, 2:-2]
    assert (inner - 0.5).abs().max() < 0.12  # without antialiasing it would swing by 0.5


def test_grey_has_its_grey_in_all_channels():
    grey = some_images(channels=1)
    assert torch.equal(colour(grey), thumbnail(grey).repeat(1, 3))
    torch.testing.assert_close(thumbnail(grey.expand(-1, 3, -1, -1)), thumbnail(grey))


@pytest.mark.parametrize(("function", "width"), [(colour, 3072), (thumbnail, 1024)])
def test_shapes_types_and_batches(function, width):
    for side in (7, 32, 100):
        images = some_images(side=side)
        found = function(images)
        assert (found.shape, found.dtype) == ((5, width), torch.float32)
        assert 0 <= found.min() <= found.max() <= 1
        torch.testing.assert_close(function(images.double() / 255), found)
        torch.testing.assert_close(torch.cat([function(image[None]) for image in images]), found)
    assert function(some_images(count=0)).shape == (0, width)
    with pytest.raises(CurateError, match="images: 4 channels"):
        function(torch.zeros(1, 4, 8, 8))
