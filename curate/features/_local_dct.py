"""Local frequencies on a coarse grid: what a first layer would learn, without a network."""

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate, pad

from curate.errors import CurateError
from curate.features.images import checked_images

_SIDE = 32
_PATCH = 4
_GRID = 4
_HIGHEST = 3  # sum of the two frequencies of a patch
_CHROMA = 0.7  # colour survives a camera or a codec less well than light
_QUIET = 0.03  # contrast, of 1, under which noise is not blown up
_AT_ONCE = 32  # arrays that fit into a processor's cache
# light, red against green, and both against blue
_OPPONENT = ((0.577, 0.577, 0.577), (0.707, -0.707, 0.0), (0.408, 0.408, -0.816))


def local_dct(images: Tensor) -> Tensor:
    """Signed square roots of the DCT of every 4×4 patch, averaged over a grid of 4×4 cells.

    Images are brought to 32×32 pixels and to equal contrast. In each of three opponent colour
    channels the 9 lowest frequencies but the mean are taken at every pixel; positive and negative
    values are averaged apart, as after a rectified convolution. Copies of a picture that were
    moved, scaled, recompressed or recoloured a little stay close to it.

    Args:
        images: (N, C, H, W) with C of 1 or 3, uint8 in 0..255 or floating in 0..1.

    Returns:
        float32 of shape (N, 864).
    """
    if checked_images(images).shape[1] not in (1, 3):
        raise CurateError(f"images: {images.shape[1]} channels; give 1 (grey) or 3 (RGB)")
    parts = [_features(part) for part in images.split(_AT_ONCE)] if len(images) else []
    return torch.cat([torch.empty((0, 864)), *parts])


def _features(images: Tensor) -> Tensor:
    values = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    values = values.expand(-1, 3, -1, -1)
    if values.shape[2:] != (_SIDE, _SIDE):
        values = interpolate(
            values, (_SIDE, _SIDE), mode="bilinear", align_corners=False, antialias=True
        )
    light = values.mean(1).flatten(1)
    contrast = (3**0.5 * light.std(1, unbiased=False) + _QUIET).view(-1, 1, 1, 1)
    bank, weights = _bank()
    padded = pad(values / contrast, (1, 2, 1, 2), mode="reflect")
    found = conv2d(padded, bank)
    size = found.abs().sqrt_()
    whole = adaptive_avg_pool2d(size, _GRID)
    rest = adaptive_avg_pool2d(torch.copysign(size, found), _GRID)
    # of what is above zero, and of what is below
    return (torch.cat([whole + rest, whole - rest], 1) * (weights / 2).repeat(1, 2, 1, 1)).flatten(
        1
    )


@cache
def _bank() -> tuple[Tensor, Tensor]:
    """Kernels (27, 3, 4, 4), and their weights (1, 27, 1, 1)."""
    at = torch.arange(_PATCH) + 0.5
    waves = [torch.cos(torch.pi * at * order / _PATCH) for order in range(_PATCH)]
    waves = [wave / wave.norm() for wave in waves]
    patches = [
        torch.outer(waves[i], waves[j])
        for i in range(_PATCH)
        for j in range(_PATCH)
        if 0 < i + j <= _HIGHEST
    ]
    colours = torch.tensor(_OPPONENT)
    bank = torch.stack([c.view(3, 1, 1) * patch for c in colours for patch in patches])
    weights = torch.tensor([1.0, _CHROMA, _CHROMA]).repeat_interleave(len(patches))
    return bank, weights.view(1, -1, 1, 1)
