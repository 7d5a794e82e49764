"""Pictures small enough to travel inside the report."""

import base64
from io import BytesIO
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import CurateError
from curate.report.text import clean

if TYPE_CHECKING:
    from PIL import Image

SIDE = 96
"""The longest side of a thumbnail in pixels."""

MOST_BYTES = 10_000
"""No encoded thumbnail is larger, unless fewer are asked for."""

_TINY = 48  # smaller pictures are stored without loss and shown pixel by pixel


def thumbnail(
    pixels: np.ndarray, example_id: object, most_bytes: int = MOST_BYTES
) -> tuple[str, bool]:
    """A picture as a data URI, and whether to show it with hard pixels.

    Args:
        pixels: uint8, (height, width) or (height, width, 3).
        example_id: for the error.
        most_bytes: of the encoded picture; it is made coarser and smaller until it has no more.

    Raises:
        CurateError: the array is of another type or shape, or empty.
    """
    from PIL import Image

    flat = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.size > 0
    if not flat or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        given = f"{pixels.dtype} {pixels.shape}" if hasattr(pixels, "dtype") else type(pixels)
        raise CurateError(
            f"image: for example {clean(example_id)!r} it returned {given}; return a non-empty "
            "uint8 array (height, width) or (height, width, 3), or None"
        )
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    tiny = max(picture.size) <= _TINY
    picture = _at_most(picture, SIDE)
    return _encode(picture, tiny, most_bytes), tiny


def _at_most(picture: "Image.Image", side: int) -> "Image.Image":
    """The picture, its longer side brought to ``side`` if it is longer."""
    from PIL import Image

    longest = max(picture.size)
    if longest <= side:
        return picture
    width, height = (max(1, round(length * side / longest)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)


def _encode(picture: "Image.Image", tiny: bool, most_bytes: int) -> str:
    if tiny:
        buffer = BytesIO()
        picture.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= most_bytes:
            return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    for side, quality in product((SIDE, 64, 48, 32), (88, 75, 60, 40)):  # noise at 96, 40: 6 kB
        buffer = BytesIO()
        _at_most(picture, side).save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= most_bytes:
            break
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
