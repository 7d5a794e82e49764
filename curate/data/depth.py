"""Pixels of more than 8 bits, and how those of one data set become 8."""

import io
import sys
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from curate.data.encoded import Encoded, Taken
from curate.errors import CurateError

SAMPLED = 1000
"""Images of a set that are examined, evenly spread over it."""


class Depth:
    """Makes uint8 of deep pixels, all of a data set by the same rule.

    Integers are cut to the upper 8 of the bits that the largest one of the set needs, an even
    number (12 for 0..4095), and stay as they are up to 255. Floats from 0 to 1 are multiplied by
    255, and stay as they are up to 255. Others, and negative numbers, are stretched from the least
    and the largest of the set to 0..255. Up to 1,000 images are examined; what is beyond them is
    clipped.

    Args:
        contents: the images of the set; for a test set those of its training set.
    """

    def __init__(self, contents: Encoded) -> None:
        while isinstance(contents, Taken):  # a part of a set is seen like the whole
            contents = contents.whole
        self._contents = contents

    def to_uint8(self, values: np.ndarray, name: object) -> np.ndarray:
        """Deep pixels as uint8 of the same shape.

        Raises:
            CurateError: NaN or infinity among them; ``name`` names the example.
        """
        if not np.isfinite(values).all():
            raise CurateError(
                f"dataset: the image of example {name!r} holds NaN or infinity; repair it or leave "
                "it out"
            )
        low, high = self._ranges.get(_kind(values), (0.0, 255.0))
        return _scaled(values, low, high)

    @cached_property
    def _ranges(self) -> dict[str, tuple[float, float]]:
        chosen = evenly(len(self._contents), SAMPLED)
        return _ranges_of(_deep_of(self._contents[position]) for position in chosen.tolist())

    @classmethod
    def of(cls, images: Iterable[np.ndarray | None]) -> "Depth":
        """By images that are decoded already; None stands for one of 8 bits."""
        depth = cls([])
        depth._ranges = _ranges_of(images)
        return depth


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The rule of :class:`Depth` for pixels from ``low`` to ``high``."""
    if low >= 0 and _kind(values) == "integers":
        bits = max(8, int(high).bit_length())
        bits += bits % 2  # 10, 12, 14 and 16 bits are depths of cameras; 15 is a dark 16
        return (values.astype(np.int64) >> (bits - 8)).clip(0, 255).astype(np.uint8)
    wide = values.astype(np.float64)
    if low < 0 or high > 255:
        wide = (wide - low) * (255 / (high - low if high > low else 1))
    elif high <= 1:
        wide *= 255
    return np.rint(wide).clip(0, 255).astype(np.uint8)


def _ranges_of(images: Iterable[np.ndarray | None]) -> dict[str, tuple[float, float]]:
    """The least and the largest finite pixel of deep images, "integers" and "floats" apart."""
    found: dict[str, tuple[float, float]] = {}
    for values in images:
        finite = None if values is None else values[np.isfinite(values)]
        if values is None or finite is None or not finite.size:
            continue
        low, high = found.get(_kind(values), (np.inf, -np.inf))
        low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        found[_kind(values)] = low, high
    return found


def _deep_of(content: bytes) -> np.ndarray | None:
    """The deep pixels of an encoded image; None where it has 8 bits or cannot be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as opened:
            return deep_pixels(opened, content)
    except Exception:  # whoever asks for this image is told
        return None


def deep_pixels(opened: Any, content: bytes | None = None) -> np.ndarray | None:
    """Integers or floats (H, W), or uint16 (H, W, 3), of a deep Pillow image; None at 8 bits.

    Of colours of 16 bits Pillow reads the upper bytes only. The lower ones it reads if told that
    the file is laid out otherwise, which takes ``content``, the bytes of the file.
    """
    if opened.mode.startswith("I") or opened.mode == "F":
        return np.asarray(opened)
    tiles = list(getattr(opened, "tile", ()))
    layout = _layout(tiles)
    if content is None or opened.mode not in ("RGB", "RGBA") or layout not in _LOWER:
        return None
    from PIL import Image

    with Image.open(io.BytesIO(content)) as again:
        again.tile = [_laid_out(tile, _LOWER[layout]) for tile in tiles]
        lower = np.asarray(again).astype(np.uint16)
    if layout == "LA;16B":  # read as four bytes: both of the grey, both of its transparency
        return lower[:, :, 0] << 8 | lower[:, :, 1]
    return np.asarray(opened)[:, :, :3].astype(np.uint16) << 8 | lower[:, :, :3]


_OTHER = "B" if sys.byteorder == "little" else "L"
_LOWER = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGBA;16B": "RGBA;16L",
    "RGBA;16L": "RGBA;16B",
    "RGBX;16B": "RGBX;16L",
    "RGBX;16L": "RGBX;16B",
    "LA;16B": "RGBA",
} | {f"{name};16N": f"{name};16{_OTHER}" for name in ("RGB", "RGBA", "RGBX")}
"""Pillow's names for layouts of 16 bits, and those by which it reads the lower bytes."""


def _layout(tiles: list[Any]) -> str | None:
    """Pillow's name for how the pixels lie in the file; None where its parts differ."""
    found = {tile[3][0] if isinstance(tile[3], tuple) and tile[3] else tile[3] for tile in tiles}
    return found.pop() if len(found) == 1 else None


def _laid_out(tile: Any, layout: str) -> Any:
    arguments = (layout, *tile[3][1:]) if isinstance(tile[3], tuple) else layout
    if hasattr(tile, "_replace"):
        return tile._replace(args=arguments)
    return (*tile[:3], arguments)  # of an old Pillow


def evenly(count: int, most: int) -> np.ndarray:
    """Positions of at most ``most`` of ``count`` things, evenly spread."""
    return np.unique(np.linspace(0, count - 1, most).astype(int)) if count else np.arange(0)


def _kind(values: np.ndarray) -> str:
    return "floats" if values.dtype.kind == "f" else "integers"
