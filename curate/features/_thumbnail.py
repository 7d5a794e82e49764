"""The two thumbnails of Torralba & Efros: 32×32 pixels, grey and in colour."""

import torch
from torch.nn.functional import interpolate

from curate.errors import CurateError
from curate.features.images import checked_images

_SIDE = 32
_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601, as Pillow's "L"


def thumbnail(images: torch.Tensor) -> torch.Tensor:
    """Grey thumbnails of 32×32 pixels ("32x32 thumbnail grayscale", Torralba & Efros 2011).

    Args:
        images: (N, C, H, W) with C of 1 or 3, uint8 in 0..255 or floating in 0..1.

    Returns:
        float32 of shape (N, 1024), in 0..1, row by row.
    """
    return _shrunk(images, grey=True)


def colour(images: torch.Tensor) -> torch.Tensor:
    """Colour thumbnails of 32×32 pixels ("32x32 thumbnail color", Torralba & Efros 2011).

    The paper has no colour histogram: this is its one feature that knows colours. A grey image
    has its grey in all three channels.

    Args:
        images: (N, C, H, W) with C of 1 or 3, uint8 in 0..255 or floating in 0..1.

    Returns:
        float32 of shape (N, 3072), in 0..1: red row by row, then green, then blue.
    """
    return _shrunk(images, grey=False)


def _shrunk(images: torch.Tensor, grey: bool) -> torch.Tensor:
    count, channels = checked_images(images).shape[:2]
    if channels not in (1, 3):
        raise CurateError(f"images: {channels} channels; give 1 (grey) or 3 (red, green, blue)")
    values = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    if grey and channels == 3:
        weights = torch.tensor(_LUMA, device=values.device).view(1, 3, 1, 1)
        values = (values * weights).sum(1, keepdim=True)
    if count:  # interpolate refuses an empty batch
        values = interpolate(
            values, (_SIDE, _SIDE), mode="bilinear", align_corners=False, antialias=True
        )
    else:
        values = values.new_empty((0, values.shape[1], _SIDE, _SIDE))
    if not grey:
        values = values.expand(-1, 3, -1, -1)
    return values.flatten(1)
