"""The dominant gradient of every pixel: its magnitude, and the bin of its direction."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_FOLD = 512  # gx + 512·gy tells apart all integer gradients of -255..255
_RANK_BITS = 15  # their lengths take some 22,000 values
_KEY_BITS = 31


class Room:
    """Memory to work in: fresh memory for every few images costs more time than the work.

    Attributes:
        values: int32 of shape (N, C, H, W).
        codes: the same.
        keys: int32 of shape (N, H, W).
        bins: the same.
        magnitudes: float32 of shape (N, H, W).
    """

    def __init__(self, count: int, images: Tensor) -> None:
        kind, place = torch.int32, images.device
        self.values = torch.empty((count, *images.shape[1:]), dtype=kind, device=place)
        self.codes = torch.empty_like(self.values)
        self.keys = torch.empty((count, *images.shape[2:]), dtype=kind, device=place)
        self.bins = torch.empty_like(self.keys)
        self.magnitudes = torch.empty_like(self.keys, dtype=torch.float32)


def dominant_gradient(images: Tensor, orientations: int, room: Room) -> tuple[Tensor, Tensor]:
    """Central differences, of the channel in which they are largest (the first of equal ones).

    Across a border of the image the difference is zero. Directions count modulo 180°, in
    ``orientations`` equal bins from 0° on, each with its lower border.

    Args:
        images: (N, C, H, W), uint8 or floating.
        orientations: how many bins.
        room: for N images of this shape or more.

    Returns:
        float32 magnitudes and int32 bins, both of shape (N, H, W); they may lie in ``room``.
    """
    bin_bits, channel_bits = (orientations - 1).bit_length(), (images.shape[1] - 1).bit_length()
    if images.dtype == torch.uint8 and _RANK_BITS + bin_bits + channel_bits <= _KEY_BITS:
        count, shift = len(images), bin_bits + channel_bits
        table = _table(orientations, images.shape[1], bin_bits, shift, images.device)
        keys = _dominant_keys(images, table, room)
        bins = torch.bitwise_and(keys, (1 << bin_bits) - 1, out=room.bins[:count])
        keys >>= shift
        magnitudes = room.magnitudes[:count]
        torch.index_select(table.lengths, 0, keys.view(-1), out=magnitudes.view(-1))
        return magnitudes, bins
    if images.dtype not in (torch.float32, torch.float64):
        images = images.double() if images.dtype == torch.uint8 else images.float()
    return _of_numbers(images, orientations)


class _Table(NamedTuple):
    """What is known of every integer gradient.

    Attributes:
        entries: by code: the rank of its length in the upper bits, its bin in the lower ones, and
            bits for the channel between them, so that the largest entry is the whole choice.
        channels: what each channel adds to an entry, the first one most; (1, C, 1, 1).
        lengths: by rank.
    """

    entries: Tensor
    channels: Tensor
    lengths: Tensor


@lru_cache(maxsize=8)
def _table(
    orientations: int, channels: int, bin_bits: int, shift: int, device: torch.device
) -> _Table:
    codes = np.arange(256 * _FOLD)
    gy = (codes + _FOLD // 2) // _FOLD
    gx = codes - gy * _FOLD
    # by the C library, whose last bit decides between channels as in scikit-image
    lengths, ranks = np.unique(np.hypot(gx.astype(float), gy.astype(float)), return_inverse=True)
    bins = _bins(torch.from_numpy(gx).double(), torch.from_numpy(gy).double(), orientations)
    return _Table(
        ((torch.from_numpy(ranks) << shift) + bins).int().to(device),
        (torch.arange(channels - 1, -1, -1).view(1, channels, 1, 1) << bin_bits).int().to(device),
        torch.from_numpy(lengths).float().to(device),
    )


def _dominant_keys(images: Tensor, table: _Table, room: Room) -> Tensor:
    """The largest entry of the table among the channels, int32 (N, H, W)."""
    count = len(images)
    values, codes = room.values[:count], room.codes[:count]
    flat = values.copy_(images).view(-1)
    torch.sub(flat[2:], flat[:-2], out=codes.view(-1)[1:-1])  # one pass: the ends come out wrong
    codes[..., 0] = 0
    codes[..., -1] = 0
    inner = codes[:, :, 1:-1]
    inner.add_(values[:, :, 2:], alpha=_FOLD).sub_(values[:, :, :-2], alpha=_FOLD)
    codes.abs_()  # of the two opposite gradients, one
    torch.index_select(table.entries, 0, codes.view(-1), out=flat)
    return torch.amax(values.add_(table.channels), 1, out=room.keys[:count])


def _of_numbers(images: Tensor, orientations: int) -> tuple[Tensor, Tensor]:
    gx, gy = torch.zeros_like(images), torch.zeros_like(images)
    torch.sub(images[..., 2:], images[..., :-2], out=gx[..., 1:-1])
    torch.sub(images[:, :, 2:], images[:, :, :-2], out=gy[:, :, 1:-1])
    if images.dtype == torch.float64 and images.device.type == "cpu":  # see _table
        magnitudes = torch.from_numpy(np.hypot(gx.numpy(), gy.numpy()))
    elif images.device.type != "cpu":  # rounded once: its last bit decides between equal channels
        magnitudes = torch.hypot(gx.double(), gy.double()).to(images.dtype)
    else:
        magnitudes = torch.hypot(gx, gy)
    largest, x, y = magnitudes[:, 0], gx[:, 0], gy[:, 0]
    for channel in range(1, images.shape[1]):
        other = magnitudes[:, channel]
        take = (other > largest).to(images.dtype)  # multiplied: torch.where is far slower
        keep = 1 - take
        x = x * keep + gx[:, channel] * take
        y = y * keep + gy[:, channel] * take
        largest = torch.maximum(largest, other)
    return largest.float(), _bins(x.double(), y.double(), orientations)


def _bins(gx: Tensor, gy: Tensor, orientations: int) -> Tensor:
    """Bins, int32, of float64 gradients by degrees: exact where a border is, as at 45° and 90°."""
    if gx.device.type == "cpu":  # the last bit counts where a gradient is 45° but for rounding
        angles = torch.from_numpy(np.arctan2(gy.numpy(), gx.numpy()))
    else:
        angles = torch.atan2(gy, gx)
    halves = angles.rad2deg_().div_(180 / orientations).floor_().int()  # of -180° to 180°
    unsigned = torch.arange(2 * orientations + 1, dtype=torch.int32) % orientations
    halves.add_(orientations).clamp_(0, 2 * orientations)  # NaN is no integer
    found = unsigned.to(gx.device).index_select(0, halves.view(-1))
    return found.view(gx.shape)
