"""Images as file contents: the original bytes where there are any, else PNG."""

import io
from typing import Any, NamedTuple

import numpy as np
import torch

from curate.data.pixels import channels_last
from curate.errors import CurateError

_EXTENSIONS = {
    "AVIF": "avif",
    "BMP": "bmp",
    "GIF": "gif",
    "JPEG": "jpg",
    "JPEG2000": "jp2",
    "MPO": "jpg",
    "PNG": "png",
    "PPM": "ppm",
    "TGA": "tga",
    "TIFF": "tif",
    "WEBP": "webp",
}
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}


class EncodedImage(NamedTuple):
    """An image as it is in a file."""

    content: bytes
    extension: str


def from_file(content: bytes, name: object) -> EncodedImage:
    """File contents as they are; the extension is read off them, never off their name.

    Raises:
        CurateError: they are not an image.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            format = image.format or ""
    except Exception:  # damaged files make Pillow raise errors of many kinds
        raise CurateError(
            f"dataset: the image of example {name!r} is no PNG, JPEG or other file that "
            "Pillow opens; convert it or leave it out"
        ) from None
    if format in _EXTENSIONS:
        return EncodedImage(content, _EXTENSIONS[format])
    registered = Image.registered_extensions().items()
    ending = next((ending for ending, kind in registered if kind == format), f".{format.lower()}")
    return EncodedImage(content, ending.removeprefix("."))


def as_png(value: Any, name: object) -> EncodedImage:
    """A lossless PNG of a Pillow image, of uint8 pixels, or of floats that are n/255 exactly.

    Raises:
        CurateError: PNG cannot hold the values without loss.
    """
    from PIL import Image

    if isinstance(value, torch.Tensor | np.ndarray):
        pixels = channels_last(value)
        if pixels is None:
            raise CurateError(
                f"dataset: example {name!r} has shape {tuple(value.shape)}, which is no image; "
                "export with format='parquet'"
            )
        value = Image.fromarray(np.ascontiguousarray(_eight_bits(pixels, name)))
    if value.mode not in _PNG_MODES:
        raise CurateError(
            f"dataset: the image of example {name!r} is of mode {value.mode!r}, which PNG cannot "
            "hold; convert it to RGB in the data set"
        )
    stream = io.BytesIO()
    value.save(stream, format="PNG")
    return EncodedImage(stream.getvalue(), "png")


def _eight_bits(array: np.ndarray, name: object) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f":
        levels = np.rint(array * 255)
        # float32 n/255 times 255 is off by at most an ulp or two of n
        if np.all((levels >= 0) & (levels <= 255)) and np.allclose(
            array * 255, levels, rtol=0, atol=1e-4
        ):
            return levels.astype(np.uint8)
    raise CurateError(
        f"dataset: the image of example {name!r} is {array.dtype} with values other than n/255, "
        "which 8-bit PNG cannot hold; export with format='parquet', or without the transform"
    )
