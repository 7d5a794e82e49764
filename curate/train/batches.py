"""Batches for the reference trainer: shuffled, normalised, augmented, without a loader."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Normaliser:
    """Mean and standard deviation per channel of a training set, (1, C, 1, 1) or (1, F)."""

    mean: Tensor
    std: Tensor

    @staticmethod
    def of(values: Tensor) -> "Normaliser":
        """From values (N, C, H, W) uint8 or (N, F) float, a chunk at a time."""
        moments = _moments_of_bytes if values.dtype == torch.uint8 else _moments
        shape = (1, -1, *(1 for _ in values.shape[2:]))
        mean, variance = (of.view(shape) for of in moments(values))
        return Normaliser(mean.float(), variance.sqrt().clamp(min=1e-6).float())

    def __call__(self, values: Tensor) -> Tensor:
        """Float values of mean 0 and standard deviation 1 over the training set."""
        device = values.device
        return (values.float() - self.mean.to(device)) / self.std.to(device)


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) float64 of values (N, C, ...)."""
    over = (0, *range(2, values.ndim))
    count = values[:, :1].numel()
    mean = torch.stack([chunk.double().sum(over) for chunk in values.split(4096)]).sum(0) / count
    center = mean.view(1, -1, *(1 for _ in values.shape[2:]))
    squares = [(chunk.double() - center).square().sum(over) for chunk in values.split(4096)]
    return mean, torch.stack(squares).sum(0) / count


def _moments_of_bytes(values: Tensor) -> tuple[Tensor, Tensor]:
    """The same of uint8 values: by how often each of the 256 occurs, in a twentieth of the time."""
    counts = torch.zeros(values.shape[1], 256, dtype=torch.float64, device=values.device)
    for chunk in values.split(4096):
        for channel, found in zip(chunk.unbind(1), counts, strict=True):
            found += torch.bincount(channel.flatten(), minlength=256)
    levels = torch.arange(256, dtype=torch.float64, device=values.device)
    mean = counts @ levels / counts.sum(1)
    return mean, (counts * (levels - mean.unsqueeze(1)) ** 2).sum(1) / counts.sum(1)


def shuffled(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions 0..count-1 in random order, ``size`` at a time, and never one alone.

    Batch normalisation cannot train on one example, so a single last one joins the batch before.
    """
    order = torch.randperm(count, generator=generator)
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    yield from batches


def batches_in(count: int, size: int) -> int:
    """How many batches :func:`shuffled` makes of ``count`` examples."""
    whole, rest = divmod(count, size)
    return whole + (rest > (1 if whole else 0))


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images (N, C, H, W) cropped at random after reflection padding, half of them mirrored.

    The border is a sixteenth of the smaller side: 2 pixels for 32×32, enough for ten epochs.
    """
    n, _, height, width = images.shape
    border = max(1, min(height, width) // 16)
    padded = torch.nn.functional.pad(images.float(), [border] * 4, mode="reflect")
    top, left = torch.randint(0, 2 * border + 1, (2, n, 1), generator=generator)
    rows = top + torch.arange(height)
    columns = left + torch.arange(width)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    device = images.device
    example = torch.arange(n, device=device).view(n, 1, 1)
    pixels = padded.permute(0, 2, 3, 1)  # so that a pixel's channels move together
    cropped = pixels[example, rows.to(device).unsqueeze(2), columns.to(device).unsqueeze(1)]
    return cropped.permute(0, 3, 1, 2)
