"""Encoded images to uint8 pixels, and to one common shape."""

import io
from typing import Any

import numpy as np
import torch

from curate.data.encoded import Encoded
from curate.errors import CurateError

_SAMPLED = 1000
_LONGEST_DEFAULT_SIDE = 224
_GREY = {"1", "L", "LA", "La"}


def decode(content: bytes, name: object) -> np.ndarray:
    """The pixels of an encoded image at its own size, upright (EXIF orientation applied).

    Args:
        content: the bytes of an image file of any format that Pillow reads.
        name: what to call the example in an error.

    Returns:
        uint8, (H, W) for a grey image and (H, W, 3) for any other; transparency is left out, and
        16 bits per channel are cut to the upper 8.

    Raises:
        CurateError: the bytes are not a whole image.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as opened:
            ImageOps.exif_transpose(opened, in_place=True)
            if opened.mode.startswith("I"):  # 16 bits per pixel; Pillow's own conversion clips
                return (np.asarray(opened).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
            if opened.mode in ("L", "RGB"):  # a conversion would copy
                return np.asarray(opened)
            return np.asarray(opened.convert("L" if opened.mode in _GREY else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        plain = name.item() if isinstance(name, np.generic) else name
        raise CurateError(
            f"dataset: the image of example {plain!r} cannot be decoded ({reason}); repair it or "
            "leave it out"
        ) from error


def fit(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels as (C, H, W) = ``shape``: grey or colour as asked, stretched to H×W (bilinear)."""
    from PIL import Image

    channels, height, width = shape
    fitted = np.array(pixels)  # Pillow's arrays are read-only
    if pixels.ndim != (2 if channels == 1 else 3) or pixels.shape[:2] != (height, width):
        image = Image.fromarray(pixels).convert("L" if channels == 1 else "RGB")
        fitted = np.array(image.resize((width, height), Image.Resampling.BILINEAR))
    return fitted[None] if channels == 1 else fitted.transpose(2, 0, 1)


def common_shape(contents: Encoded, size: int | tuple[int, int] | None) -> tuple[int, int, int]:
    """The (C, H, W) that every image of a set is brought to.

    Up to 1,000 images, evenly spread over the set, are examined (headers only). C is 1
    if all of these are grey, else 3. H and W are ``size``, else their medians, scaled down so
    that neither exceeds 224.
    """
    chosen = np.unique(np.linspace(0, len(contents) - 1, _SAMPLED).astype(int))
    headers = [_header(contents[position], position) for position in chosen.tolist()]
    channels = 1 if all(grey for _, _, grey in headers) else 3
    if size is not None:
        height, width = checked_size(size)
    else:
        middle = np.median([(height, width) for height, width, _ in headers], axis=0)
        scale = min(1.0, _LONGEST_DEFAULT_SIDE / middle.max())
        height, width = (max(1, round(side * scale)) for side in middle.tolist())
    return channels, height, width


def checked_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """``size`` as (height, width); one number stands for a square."""
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and 0 < side <= 4096 for side in sides):
        raise CurateError(f"size: {size!r}; give (height, width) or one side, from 1 to 4096")
    return sides


def is_image(value: Any) -> bool:
    """Whether this is a Pillow image, or uint8 of shape (H, W), (C, H, W) or (H, W, C)."""
    if hasattr(value, "mode") and hasattr(value, "save"):
        return True
    if not isinstance(value, torch.Tensor | np.ndarray):
        return False
    return str(value.dtype).endswith("uint8") and channels_last(value) is not None


def as_pixels(image: Any) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3) of what :func:`is_image` accepts; transparency is left out."""
    if isinstance(image, torch.Tensor | np.ndarray):
        pixels = channels_last(image)
        assert pixels is not None, "no image"
        return pixels[:, :, :3] if pixels.ndim == 3 else pixels
    return np.asarray(image.convert("L" if image.mode in _GREY else "RGB"))


def channels_last(value: Any) -> np.ndarray | None:
    """(H, W) or (H, W, C) with C of 3 or 4; tensors hold channels first, arrays often last."""
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    if 0 in array.shape:
        return None
    if array.ndim == 2:
        return array
    if array.ndim != 3:
        return None
    first, last = array.shape[0], array.shape[-1]
    if first in (1, 3, 4) and (isinstance(value, torch.Tensor) or last not in (1, 3, 4)):
        array = array.transpose(1, 2, 0)
    elif last not in (1, 3, 4):
        return None
    return array[:, :, 0] if array.shape[-1] == 1 else array


def _header(content: bytes, position: int) -> tuple[int, int, bool]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.height, image.width, image.mode in _GREY or image.mode.startswith("I")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CurateError(
            f"dataset: what is at position {position} is not an image; repair it or leave it out"
        ) from error
