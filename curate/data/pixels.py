"""Encoded images to uint8 pixels, and to one common shape."""

import io
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch

from curate.data.depth import SAMPLED, Depth, deep_pixels, evenly
from curate.data.encoded import Encoded
from curate.errors import CurateError

_LONGEST_DEFAULT_SIDE = 224
_GREY = {"1", "L", "LA", "La"}


def decode(content: bytes, name: object, depth: Depth | None = None) -> np.ndarray:
    """The pixels of an encoded image at its own size, upright (EXIF orientation applied).

    Args:
        content: the bytes of an image file of any format that Pillow reads.
        name: what to call the example in an error.
        depth: how more than 8 bits become 8, for all images of a set; None: by this image alone.

    Returns:
        uint8, (H, W) for a grey image and (H, W, 3) for any other; transparency is left out.

    Raises:
        CurateError: the bytes are not a whole image.
    """
    from PIL import Image

    plain = name.item() if isinstance(name, np.generic) else name
    try:
        with Image.open(io.BytesIO(content)) as opened:
            deep = deep_pixels(opened, content)
            if deep is not None:
                pixels = deep
            elif opened.mode in ("L", "RGB"):  # a conversion would copy
                pixels = np.asarray(opened)
            else:
                pixels = np.asarray(opened.convert("L" if opened.mode in _GREY else "RGB"))
            turned = _TURNS.get(_orientation(opened))
    except Exception as error:  # damaged files make Pillow raise errors of many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = reason.split(" <_io.BytesIO")[0]  # "cannot identify image file <…>"
        raise CurateError(
            f"dataset: the image of example {plain!r} cannot be decoded ({reason}); repair it or "
            "leave it out"
        ) from error
    if deep is not None:
        pixels = (depth or Depth([content])).to_uint8(pixels, plain)
    return pixels if turned is None else np.ascontiguousarray(turned(pixels))


_TURNS: dict[Any, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}
"""How to turn an image by its EXIF orientation."""


def _orientation(opened: Any) -> int:
    """The EXIF orientation of an image that has been read; 1 where its EXIF is malformed."""
    try:
        found = opened.getexif().get(0x0112, 1)
        return found if isinstance(found, int) else 1
    except Exception:  # the pixels are fine, whatever is wrong with the tags
        return 1


def fit(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels as (C, H, W) = ``shape``: grey or colour as asked, stretched to H×W (bilinear)."""
    from PIL import Image

    channels, height, width = shape
    fitted = np.array(pixels)  # Pillow's arrays are read-only
    if pixels.ndim != (2 if channels == 1 else 3) or pixels.shape[:2] != (height, width):
        image = Image.fromarray(pixels).convert("L" if channels == 1 else "RGB")
        fitted = np.array(image.resize((width, height), Image.Resampling.BILINEAR))
    return fitted[None] if channels == 1 else fitted.transpose(2, 0, 1)


def common_shape(
    contents: Encoded,
    size: int | tuple[int, int] | None,
    names: Sequence[Any] | np.ndarray,
    *,
    skip: bool = False,
) -> tuple[int, int, int]:
    """The (C, H, W) that every image of a set is brought to.

    Up to 1,000 images, evenly spread over the set, are examined (headers only). C is 1
    if all of these are grey, else 3. H and W are ``size``, else their medians, scaled down so
    that neither exceeds 224.

    Args:
        contents: n encoded images.
        size: (height, width), or one number for a square; None: the medians.
        names: what to call each of the n images in an error.
        skip: leave those out that are no images.

    Raises:
        CurateError: one is no image, or, with ``skip``, all that were examined.
    """
    headers = []
    for position in evenly(len(contents), SAMPLED).tolist():
        try:
            headers.append(_header(contents[position], names[position], position))
        except CurateError:
            if not skip:
                raise
    if not headers:
        raise CurateError("dataset: none of the images can be read; give at least one that can")
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
    try:
        sides = tuple(map(operator.index, size if isinstance(size, Iterable) else (size, size)))
    except TypeError:
        sides = ()
    if len(sides) != 2 or not all(0 < side <= 4096 for side in sides):
        raise CurateError(f"size: {size!r}; give (height, width) or one side, from 1 to 4096")
    return sides


def is_image(value: Any) -> bool:
    """Whether this is a Pillow image, or uint8 of shape (H, W), (C, H, W) or (H, W, C)."""
    if hasattr(value, "mode") and hasattr(value, "save"):
        return True
    if not isinstance(value, torch.Tensor | np.ndarray):
        return False
    return str(value.dtype).endswith("uint8") and channels_last(value) is not None


def as_pixels(image: Any, depth: Depth | None = None) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3) of what :func:`is_image` accepts; transparency is left out.

    ``depth`` says how more than 8 bits become 8, for all images of a set; None: by this alone.
    """
    if isinstance(image, torch.Tensor | np.ndarray):
        pixels = channels_last(image)
        assert pixels is not None, "no image"
        return pixels[:, :, :3] if pixels.ndim == 3 else pixels
    deep = deep_pixels(image)
    if deep is None:
        return np.asarray(image.convert("L" if image.mode in _GREY else "RGB"))
    return (depth or Depth.of([deep])).to_uint8(deep, "of the sample")


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


def _header(content: bytes, name: object, position: int) -> tuple[int, int, bool]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            is_grey = image.mode in _GREY or image.mode.startswith("I") or image.mode == "F"
            return image.height, image.width, is_grey
    except Exception as error:  # damaged files make Pillow raise errors of many kinds
        plain = name.item() if isinstance(name, np.generic) else name
        raise CurateError(
            f"dataset: example {plain!r} at position {position} is not an image; repair it or "
            "leave it out"
        ) from error
