"""What feature functions accept: batches of images."""

import torch

from curate.errors import CurateError


def checked_images(images: torch.Tensor) -> torch.Tensor:
    """The images if they are (N, C, H, W), uint8 or floating, with at least one channel and pixel.

    Raises:
        CurateError: another type, dtype or shape.
    """
    if not isinstance(images, torch.Tensor):
        raise CurateError(f"images: a {type(images).__name__}; give a tensor of shape (N, C, H, W)")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise CurateError(f"images: of type {images.dtype}; give uint8 or a floating type")
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise CurateError(f"images: of shape {tuple(images.shape)}; give (N, C, H, W)")
    return images
