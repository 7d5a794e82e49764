"""Pictures side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import CurateError
from curate.plot.canvas import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 0.12  # between pictures, in widths of one
_LINE = 0.22  # for a title


def plot_gallery(
    images: Any,
    titles: Sequence[Any] | None = None,
    *,
    columns: int = 6,
    ax: "Axes | None" = None,
) -> "Axes":
    """Pictures in rows, each with its title above.

    Args:
        images: n pictures, each (3, H, W), (1, H, W) or (H, W); uint8, or floats in 0..1.
        titles: n of them, shown as plain text; None: no titles.
        columns: pictures in a row.
        ax: matplotlib axes to draw on, which lose their frame; None: those of a new figure.

    Raises:
        CurateError: matplotlib is not installed, no or other pictures, as many titles as pictures
            were not given, or ``columns`` is below 1.
    """
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1:
        raise CurateError(f"columns: {columns!r}; give a whole number, at least 1")
    pictures = [_shown(number, np.asarray(image)) for number, image in enumerate(images)]
    if not pictures:
        raise CurateError("images: there are none; give one or more")
    if titles is not None and len(titles) != len(pictures):
        raise CurateError(f"titles: {len(titles)} for {len(pictures)} images; give one each")
    across = min(columns, len(pictures))
    rows = -(-len(pictures) // across)
    above = 0.0 if titles is None else _LINE
    ax = canvas(ax, 1.1 * across, (1.1 + above) * rows)
    for number, picture in enumerate(pictures):
        left, top = (number % across) * (1 + _GAP), (number // across) * (1 + _GAP + above)
        extent = (left, left + 1, -top - 1, -top)
        ax.imshow(picture, extent=extent, interpolation="nearest", cmap="gray", vmin=0, vmax=1)
        if titles is not None:
            said = str(titles[number])
            ax.text(left, 0.03 - top, said, fontsize=7, va="bottom", parse_math=False)
    ax.set_xlim(-_GAP / 2, across * (1 + _GAP) - _GAP / 2)
    ax.set_ylim(-rows * (1 + _GAP + above) + above, _GAP / 2 + above)
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def _shown(number: int, image: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, 3) float in 0..1."""
    if image.ndim == 3 and image.shape[0] in (1, 3):
        image = image.transpose(1, 2, 0)
        image = image[..., 0] if image.shape[2] == 1 else image
    elif image.ndim != 2:
        raise CurateError(
            f"images[{number}]: of shape {image.shape}; give (3, H, W), (1, H, W) or (H, W)"
        )
    if image.dtype == np.uint8:
        return image / 255
    if (
        image.dtype.kind != "f"
        or not np.isfinite(image).all()
        or not ((image >= 0) & (image <= 1)).all()
    ):
        raise CurateError(
            f"images[{number}]: {image.dtype} outside of 0..1; give uint8, or floats from 0 to 1"
        )
    return image
