"""Pictures small enough to travel inside the report."""

import base64
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import CurateError
from curate.report.text import clean

if TYPE_CHECKING:
    from PIL import Image

SIDE = 96
"""The longest side of a thumbnail in pixels."""

MOST_BYTES = 10_000
"""No encoded thumbnail is larger."""

_TINY = 48  # smaller pictures are stored without loss and shown pixel by pixel


def thumbnail(pixels: np.ndarray, example_id: object) -> tuple[str, bool]:
    """A picture as a data URI, and whether to show it with hard pixels.

    Args:
        pixels: uint8, (height, width) or (height, width, 3).
        example_id: for the error.

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
    longest = max(picture.size)
    tiny = longest <= _TINY
    if longest > SIDE:
        width, height = (max(1, round(side * SIDE / longest)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    return _encode(picture, tiny), tiny


def _encode(picture: "Image.Image", tiny: bool) -> str:
    buffer = BytesIO()
    if tiny:
        picture.save(buffer, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    for quality in (88, 75, 60, 40):  # white noise at 40 takes some 6 kB
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
