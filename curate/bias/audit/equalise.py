"""Images brought to one history: what is left to tell apart is in the scenes."""

import io

import numpy as np
import torch

from curate.bias.sources.source import Source

SIDE = 48
"""Height and width of an equalised image: smaller than most, so that sharpness goes too."""

QUALITY = 75
_TRIM = 16  # one part of so many is cut off on every side: scan borders go


def equalised(source: Source, grey: bool) -> torch.Tensor:
    """Every image trimmed, cut square, made small with antialiasing, and saved as one JPEG.

    Args:
        source: n examples that are images.
        grey: bring all to grey.

    Returns:
        uint8 (n, 3, 48, 48).
    """
    from PIL import Image

    found = np.empty((len(source), SIDE, SIDE, 3), np.uint8)
    for position in range(len(source)):
        picture = Image.fromarray(_square(source.image(position)))
        picture = picture.convert("L" if grey else "RGB").convert("RGB")
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=QUALITY)
        found[position] = np.asarray(Image.open(stream))
    return torch.from_numpy(found).permute(0, 3, 1, 2).contiguous()


def _square(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    trim = max(1, min(height, width) // _TRIM) if min(height, width) > 4 else 0
    side = min(height, width) - 2 * trim
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])
