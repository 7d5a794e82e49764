"""Outlines and colour together: what a linear classifier needs to see both."""

import torch
from torch.nn.functional import adaptive_avg_pool2d

from curate.features._hog import hog
from curate.features.images import checked_images

_CELLS = 8
_AT_ONCE = 512


def outlines_and_colour(images: torch.Tensor) -> torch.Tensor:
    """:func:`hog`, beside it a coarse picture of the colours and how they spread.

    Of red, green, blue and saturation: means over a grid of 8×8 cells; mean, standard deviation
    and the quantiles 5, 25, 50, 75 and 95 % over all pixels. A spread that is a feature of its own
    is a difference of means, which a linear classifier sees: contrast, saturation, white balance.

    Args:
        images: (N, C, H, W) with C of 1 or 3, uint8 in 0..255 or floating in 0..1.

    Returns:
        float32 of shape (N, hog's + 284); of 64×64 pixels (N, 2048).
    """
    checked_images(images)
    parts = [_colours(part) for part in images.split(_AT_ONCE)]
    colours = torch.cat([torch.empty((0, 284)), *(part for part in parts if len(part))])
    return torch.cat([hog(images), colours], 1)


def _colours(images: torch.Tensor) -> torch.Tensor:
    if not len(images):
        return torch.empty((0, 284))
    values = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    values = values.expand(-1, 3, -1, -1)
    saturation = values.amax(1, keepdim=True) - values.amin(1, keepdim=True)
    planes = torch.cat([values, saturation], 1)
    cells = adaptive_avg_pool2d(planes, _CELLS).flatten(1)
    flat = planes.flatten(2)
    at = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    ranks = (at * (flat.shape[2] - 1)).round().long()
    quantiles = flat.sort(2).values[:, :, ranks]
    spread = torch.cat([flat.mean(2, keepdim=True), flat.std(2, False)[..., None], quantiles], 2)
    return torch.cat([cells, spread.flatten(1)], 1)
