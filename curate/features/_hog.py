"""Histograms of oriented gradients (Dalal & Triggs, CVPR 2005), for batches of images."""

import torch
from torch import Tensor

from curate.errors import CurateError
from curate.features.gradients import Room, dominant_gradient
from curate.features.images import checked_images

_VALUES_AT_ONCE = 1 << 18
"""Pixels times channels that are worked on at a time, so that what lies between the steps stays
in a core's cache."""

_NORMALISED_AT_ONCE = 128
_EPS = 1e-5
_CLIP = 0.2


def hog(
    images: Tensor,
    orientations: int = 9,
    pixels_per_cell: int | tuple[int, int] = 8,
    cells_per_block: int | tuple[int, int] = 2,
) -> Tensor:
    """Histograms of oriented gradients, as ``skimage.feature.hog`` with ``channel_axis`` gives.

    Every pixel votes with the magnitude of its gradient (of the channel where that is largest)
    for one of the unsigned directions; the votes are averaged over cells; overlapping blocks of
    cells are normalised by L2-Hys: to unit length, cut at 0.2, to unit length again.

    Args:
        images: (N, C, H, W), uint8 or floating, any C; values are taken as they are. Pixels
            right and below of the last whole cell count for gradients only.
        orientations: bins over 0..180°.
        pixels_per_cell: height and width of a cell, or the side of a square one.
        cells_per_block: the same for blocks, in cells.

    Returns:
        float32 of shape (N, d) on the device of the images, in scikit-image's order: rows and
        columns of blocks, rows and columns of cells in a block, directions.

    Raises:
        CurateError: images of another type or shape, or smaller than a block.
    """
    count, _, height, width = checked_images(images).shape
    cell_h, cell_w = _pair(pixels_per_cell, "pixels_per_cell")
    block_h, block_w = _pair(cells_per_block, "cells_per_block")
    if not isinstance(orientations, int) or not 0 < orientations <= 360:
        raise CurateError(f"orientations: {orientations!r}; give a whole number from 1 to 360")
    rows, columns = height // cell_h, width // cell_w
    if rows < block_h or columns < block_w:
        raise CurateError(
            f"images: {height}×{width} pixels hold no block; give at least {block_h * cell_h}×"
            f"{block_w * cell_w}, or smaller pixels_per_cell or cells_per_block"
        )
    cells = _cells(images.detach(), orientations, (rows, columns), (cell_h, cell_w))
    blocks = (rows - block_h + 1, columns - block_w + 1)
    found = torch.empty((count, *blocks, block_h, block_w, orientations), device=images.device)
    for start in range(0, count, _NORMALISED_AT_ONCE):
        stop = start + _NORMALISED_AT_ONCE
        _normalised(cells[start:stop], found[start:stop])
    return found.flatten(1)


def _cells(
    images: Tensor, orientations: int, cells: tuple[int, int], cell: tuple[int, int]
) -> Tensor:
    """Mean votes in each cell: float32 of shape (N, rows, columns, orientations)."""
    count, channels, height, width = images.shape
    (rows, columns), (cell_h, cell_w) = cells, cell
    at_once = min(max(1, _VALUES_AT_ONCE // (channels * height * width)), max(1, count))
    room = Room(at_once, images)
    firsts = _first_bins(at_once, cells, cell, orientations).to(images.device)
    inside = (slice(None), slice(rows * cell_h), slice(columns * cell_w))
    found = torch.zeros((count, rows, columns, orientations), device=images.device)
    for start in range(0, count, at_once):
        part = images[start : start + at_once]
        magnitudes, bins = dominant_gradient(part, orientations, room)
        votes = bins[inside].add_(firsts[: len(part)]).long()
        into = found[start : start + at_once].view(-1)
        into.scatter_add_(0, votes.view(-1), magnitudes[inside].reshape(-1))
    return found.div_(cell_h * cell_w)


def _pair(value: int | tuple[int, int], name: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise CurateError(f"{name}: {value!r}; give a whole number from 1, or two")
    return pair


def _first_bins(
    count: int, cells: tuple[int, int], cell: tuple[int, int], orientations: int
) -> Tensor:
    """Where the histogram of each pixel's cell begins: int32 of shape (count, H, W)."""
    rows, columns = cells
    numbers = torch.arange(count * rows * columns, dtype=torch.int32) * orientations
    numbers = numbers.view(count, rows, columns)
    return numbers.repeat_interleave(cell[0], 1).repeat_interleave(cell[1], 2)


def _normalised(cells: Tensor, out: Tensor) -> None:
    """Blocks of cells (n, rows, columns, orientations), by L2-Hys, into ``out``."""
    block_h, block_w = out.shape[3:5]
    blocks = cells.unfold(1, block_h, 1).unfold(2, block_w, 1).permute(0, 1, 2, 4, 5, 3)
    energy = cells.square().sum(3)
    energy = energy.unfold(1, block_h, 1).unfold(2, block_w, 1).sum((3, 4))
    torch.mul(blocks, energy.add_(_EPS**2).rsqrt_()[..., None, None, None], out=out)
    out.clamp_(max=_CLIP)
    energy = out.flatten(3).square().sum(3)
    out *= energy.add_(_EPS**2).rsqrt_()[..., None, None, None]
