"""Copies of images as they happen: cropped, moved, mirrored, recoloured, recompressed, covered."""

import io
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

KINDS = ("crop", "recompressed", "mirrored", "recoloured", "blurred", "covered", "mixed")
"""What is done to a planted copy; "mixed" is all of them at random."""


def planted_copies(images: Tensor, kinds: Iterable[str], rng: np.random.Generator) -> Tensor:
    """One altered copy of each image.

    Args:
        images: uint8 (n, 3, s, s).
        kinds: n of :data:`KINDS`.
        rng: draws how strongly.

    Returns:
        uint8 (n, 3, s, s).
    """
    copies = torch.empty_like(images)
    for row, kind in enumerate(kinds):
        copies[row] = _copy(images[row], kind, rng)
    return copies


def _copy(image: Tensor, kind: str, rng: np.random.Generator) -> Tensor:
    mixed = kind == "mixed"

    def drawn(name: str, share: float) -> bool:
        return kind == name or (mixed and rng.random() < share)

    values = image.float()[None] / 255
    if drawn("crop", 0.8):
        values = _moved(values, rng)
    if drawn("mirrored", 0.1):
        values = values.flip(3)
    if drawn("recoloured", 0.6):
        values = _recoloured(values, rng)
    if drawn("blurred", 0.3):
        values = _blurred(values, rng)
    if drawn("covered", 0.15):
        values = _covered(values, rng)
    copy = (values[0].clamp(0, 1) * 255).round().byte()
    return _recompressed(copy, rng) if drawn("recompressed", 0.7) else copy


def _moved(values: Tensor, rng: np.random.Generator) -> Tensor:
    """Scaled by 0.87 to 1.2, stretched by up to 7 %, moved by up to 8 % of the side."""
    scale = 1 / rng.uniform(0.87, 1.2)
    stretch = np.exp(rng.normal(0, 0.035))
    shift = rng.uniform(-0.16, 0.16, 2)  # of half the side
    matrix = [[scale * stretch, 0, shift[0]], [0, scale / stretch, shift[1]]]
    grid = affine_grid(torch.tensor([matrix], dtype=torch.float32), list(values.shape), False)
    return grid_sample(values, grid, "bilinear", "border", False)


def _recoloured(values: Tensor, rng: np.random.Generator) -> Tensor:
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.08, 3) + rng.normal(0, 0.12))).float()
    level = torch.from_numpy(rng.normal(0, 0.02, 3) + rng.normal(0, 0.05)).float()
    gamma = float(np.exp(rng.normal(0, 0.15)))
    values = values.clamp(0, 1) ** gamma
    if rng.random() < 0.1:
        values = values.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return values * gain.view(1, 3, 1, 1) + level.view(1, 3, 1, 1)


def _blurred(values: Tensor, rng: np.random.Generator) -> Tensor:
    side = values.shape[3]
    lower = max(4, round(side * rng.uniform(0.5, 0.9)))
    small = interpolate(values, (lower, lower), mode="bilinear", antialias=True)
    return interpolate(small, (side, side), mode="bicubic")


def _covered(values: Tensor, rng: np.random.Generator) -> Tensor:
    side = values.shape[3]
    height, width = (max(1, round(side * share)) for share in rng.uniform(0.05, 0.3, 2))
    top, left = (int(rng.integers(0, side - length + 1)) for length in (height, width))
    values = values.clone()
    values[:, :, top : top + height, left : left + width] = float(rng.random())
    return values


def _recompressed(image: Tensor, rng: np.random.Generator) -> Tensor:
    from PIL import Image

    buffer = io.BytesIO()
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(35, 95)))
    return torch.from_numpy(np.array(Image.open(buffer).convert("RGB"))).permute(2, 0, 1)
