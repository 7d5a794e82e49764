"""Decode every image to RGB pixels of one size."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from curate.data.on_ray import Engine, blocks_on_ray, checked_engine
from curate.data.opening import open_view
from curate.data.pixels import checked_size
from curate.data.view import View
from curate.errors import CurateError

BATCH = 256
"""Images that are decoded at a time: memory is bounded by these."""


def pixels(source: Any, size: int = 64, *, engine: Engine | None = None) -> torch.Tensor:
    """All images of a data set, cut to their central square and brought to one size.

    The square is cut, not squeezed, so that what is left does not tell the aspect ratio. It is
    resampled with antialiasing (Pillow's bilinear filter) unless it has the size already. Files
    are decoded in full, though a JPEG could be shrunk while it is read: its pixels would then
    differ from those of the same picture in another format.

    Args:
        source: a :class:`curate.bias.Source`, or any data set that
            :func:`curate.data.with_ids` takes: n images.
        size: height and width of the result, 1 to 4096.
        engine: what decodes: None: this process; "ray": the workers of a Ray cluster, as for
            :func:`extract`.

    Returns:
        uint8 of shape (n, 3, size, size).

    Raises:
        CurateError: the examples are features, a file is torn, the size is out of range, or Ray
            is not installed.
    """
    on_ray = checked_engine(engine)
    checked_size(size)
    source = open_view(source)
    whole = torch.empty((len(source), 3, size, size), dtype=torch.uint8)
    start = 0
    batches = pixel_batches(source, size)
    if on_ray and source.has_images:
        batches = blocks_on_ray(source, partial(pixel_batch, size=size), BATCH)
    for batch in batches:
        whole[start : start + len(batch)] = batch
        start += len(batch)
    return whole


def pixel_batches(source: Any, size: int) -> Iterator[torch.Tensor]:
    """The same as :func:`pixels`, a few hundred images at a time."""
    checked_size(size)
    source = open_view(source)
    if not source.has_images:
        raise CurateError(
            f"source {source.name!r}: its examples are features, not images; give images, or ask "
            "for nothing that looks at pixels"
        )
    for start in range(0, len(source), BATCH):
        yield pixel_batch(source, start, min(start + BATCH, len(source)), size)


def pixel_batch(source: View, start: int, stop: int, size: int) -> torch.Tensor:
    """The images from ``start`` up to ``stop``: uint8 of shape (stop - start, 3, size, size)."""
    stored = source.pixels
    if stored is not None and source.encoded is None and stored.shape[2:] == (size, size):
        return stored[start:stop].expand(-1, 3, -1, -1).contiguous()
    batch = np.empty((stop - start, size, size, 3), np.uint8)
    for row in range(start, stop):
        try:
            image = source.image(row)
        except CurateError as error:
            raise CurateError(f"source {source.name!r}: {error}") from error
        batch[row - start] = central_square(image, size)
    return torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous()


def central_square(image: np.ndarray, size: int) -> np.ndarray:
    """Cut and resample (H, W) or (H, W, 3) to (size, size, 3), or to what broadcasts to it."""
    side = min(image.shape[:2])
    if image.shape[:2] != (size, size):
        from PIL import Image

        top, left = ((length - side) // 2 for length in image.shape[:2])
        cut = np.ascontiguousarray(image[top : top + side, left : left + side])
        resized = Image.fromarray(cut).resize((size, size), Image.Resampling.BILINEAR)
        image = np.asarray(resized)
    return image[:, :, None] if image.ndim == 2 else image
