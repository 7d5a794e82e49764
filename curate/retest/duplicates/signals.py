"""How alike two images are, in several ways, for many pairs at once."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, affine_grid, avg_pool2d, grid_sample

SIGNALS = ("activation", "contrast", "correlation", "detail", "ssim", "pixels", "hash")
"""Names of the signals of a pair, in the order of :func:`pair_signals`; high = alike.

- activation: cosine of the features (a network's middle layer, or local frequencies).
- contrast: that cosine minus its mean over the image's other candidates: how far it stands out.
- correlation: normalised cross-correlation of colour thumbnails, the best over small shifts and
  scales.
- detail: the same of what is left of the light when a blurred copy is taken away.
- ssim: structural similarity of the light, in blocks of 8×8 pixels (Wang et al., 2004).
- pixels: minus the logarithm of the root mean square of pixel differences (L2 in Recht et al.).
- hash: share of equal bits of a perceptual hash, the signs of 64 low frequencies of the light.
"""

_LOW, _LOW_WINDOW = 16, 12
_HIGH, _HIGH_WINDOW = 32, 24
_PAIRS = 1 << 10  # for which arrays of pixels are made at a time


@dataclass(frozen=True, eq=False)
class Described:
    """What is kept of n images to compare them with others.

    Attributes:
        low: float16 (n, 432): central windows of the colour thumbnails, normalised.
        high: float16 (n, 576): the same of the details.
        grey: float16 (n, 32, 32): light in 0..1.
        colour: uint8 (n, 3, 32, 32), as given.
        bits: bool (n, 64).
    """

    low: Tensor
    high: Tensor
    grey: Tensor
    colour: Tensor
    bits: Tensor


def describe(images: Tensor) -> Described:
    """Describe uint8 images (n, 3, 32, 32)."""
    low, high, grey, bits = [], [], [], []
    centre = torch.tensor([[[_HIGH_WINDOW / _HIGH, 0, 0], [0, _HIGH_WINDOW / _HIGH, 0]]])
    for part in images.split(1024):
        thumbnails, details, light = _layers(part)
        low.append(_windows(thumbnails, centre, _LOW_WINDOW)[:, 0].half())
        high.append(_windows(details, centre, _HIGH_WINDOW)[:, 0].half())
        grey.append(light[:, 0].half())
        bits.append(_hash(light))
    return Described(
        torch.cat(low), torch.cat(high), torch.cat(grey), colour=images, bits=torch.cat(bits)
    )


def pair_signals(
    queries: Tensor, rows: np.ndarray, cosines: np.ndarray, others: Described
) -> np.ndarray:
    """Signals of every query with its candidates.

    Args:
        queries: uint8 (q, 3, 32, 32).
        rows: int64 (q, k), the candidates of each among the others; -1: none.
        cosines: float32 (q, 2, k): of the features, of the query as it is and mirrored.
        others: the searched images.

    Returns:
        float32 (q, k, 7); NaN where there is no candidate.
    """
    places = torch.from_numpy(np.maximum(rows, 0))
    best: np.ndarray | None = None
    for mirrored in (False, True):
        images = queries.flip(3) if mirrored else queries
        aligned = _aligned(images, places, others)
        fixed = _fixed(images, places, others)
        cosine = cosines[:, int(mirrored), :, None]
        found = np.concatenate([cosine, cosine, aligned, fixed], 2)
        # one of the two orientations counts for all signals: that in which the pair agrees better
        better = found[..., 0] + found[..., 2] + found[..., 3]
        if best is None:
            best, score = found, better
        else:
            best = np.where((better > score)[..., None], found, best)
    assert best is not None
    best[rows < 0] = np.nan
    best[..., 1] -= _background(best[..., 0])[:, None]
    return best


def _background(cosines: np.ndarray) -> np.ndarray:
    """The mean of the lower half of each row's candidates: what is usual for this image."""
    ordered = -np.sort(-np.nan_to_num(cosines, nan=-1.0), axis=1)
    start = min(ordered.shape[1] - 1, max(1, ordered.shape[1] // 2))
    kept = ordered[:, start:]
    counted = np.where(kept > -1, kept, np.nan)
    with np.errstate(invalid="ignore"):
        mean = np.nansum(counted, 1) / np.maximum(1, np.isfinite(counted).sum(1))
    return np.asarray(mean, np.float32)


def _layers(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Colour thumbnails (n, 3, 16, 16), details (n, 1, 32, 32), light (n, 1, 32, 32)."""
    values = images.float() / 255
    light = values.mean(1, keepdim=True)
    padded = torch.nn.functional.pad(light, (2, 2, 2, 2), mode="replicate")
    details = light - avg_pool2d(padded, 5, 1)
    return adaptive_avg_pool2d(values, _LOW), details, light


def _windows(values: Tensor, views: Tensor, side: int) -> Tensor:
    """Windows (n, t, c·side²) of images through affine views (t, 2, 3), each normalised."""
    count, channels = values.shape[:2]
    grids = affine_grid(views, [len(views), 1, side, side], False)
    flat = grids.reshape(1, len(views) * side, side, 2).expand(count, -1, -1, -1)
    cut = grid_sample(values, flat, "bilinear", "border", False)
    cut = cut.view(count, channels, len(views), side * side).transpose(1, 2)
    cut = cut - cut.mean(3, keepdim=True)
    cut = cut.flatten(2)
    # noise of one grey level is no pattern: where there is no more, windows agree with none
    floor = 0.01 * cut.shape[2] ** 0.5
    return cut / (cut.norm(dim=2, keepdim=True) + floor)


@cache
def _views(step: float, most: tuple[int, int, int]) -> Tensor:
    """Views of 3 scales, each moved by up to ``most`` steps: (t, 2, 3)."""
    views = []
    for zoom, reach in zip((1.0, 0.87, 1.15), most, strict=True):
        side = _HIGH_WINDOW / _HIGH * zoom
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                views.append([[side, 0, right * step], [0, side, down * step]])
    return torch.tensor(views)


def _aligned(images: Tensor, places: Tensor, others: Described) -> np.ndarray:
    """Best correlations of thumbnails and of details: float32 (q, k, 2)."""
    found = np.empty((*places.shape, 2), np.float32)
    for start in range(0, len(images), 64):
        part = images[start : start + 64]
        thumbnails, details, _ = _layers(part)
        at = places[start : start + 64]
        low = _windows(thumbnails, _views(1 / 16, (3, 2, 2)), _LOW_WINDOW)
        high = _windows(details, _views(1 / 16, (4, 2, 2)), _HIGH_WINDOW)
        for column, (templates, kept) in enumerate(((low, others.low), (high, others.high))):
            against = kept[at].float()
            values = torch.bmm(templates, against.transpose(1, 2))
            found[start : start + 64, :, column] = values.amax(1).numpy()
    return found


def _fixed(images: Tensor, places: Tensor, others: Described) -> np.ndarray:
    """Signals without alignment: ssim, pixels and hash, float32 (q, k, 3)."""
    count = places.shape[1]
    found = np.empty((*places.shape, 3), np.float32)
    step = max(1, _PAIRS // count)
    bits = _hash(images.float().mean(1, keepdim=True) / 255)
    for start in range(0, len(images), step):
        part, at = images[start : start + step], places[start : start + step]
        differences = part[:, None].float() - others.colour[at].float()
        rms = differences.square().mean((2, 3, 4)).sqrt()
        light = part.float().mean(1) / 255
        found[start : start + step, :, 0] = _ssim(light, others.grey[at].float()).numpy()
        found[start : start + step, :, 1] = -(rms + 1).log().numpy()
        same = (bits[start : start + step, None] == others.bits[at]).float().mean(2)
        found[start : start + step, :, 2] = same.numpy()
    return found


def _ssim(light: Tensor, others: Tensor) -> Tensor:
    """SSIM of (q, 32, 32) with (q, k, 32, 32) in 0..1, mean over blocks of 8×8, 4 apart: (q, k)."""
    count = others.shape[1]
    mine = light[:, None]

    def pooled(values: Tensor) -> Tensor:
        return avg_pool2d(values, 8, 4)

    own, own2 = pooled(mine), pooled(mine * mine)
    other, other2 = pooled(others), pooled(others * others)
    both = pooled(mine.expand(-1, count, -1, -1) * others)
    own_variance, variance = own2 - own * own, other2 - other * other
    covariance = both - own * other
    top = (2 * own * other + 1e-4) * (2 * covariance + 9e-4)
    bottom = (own * own + other * other + 1e-4) * (own_variance + variance + 9e-4)
    return (top / bottom).mean((2, 3))


def _hash(light: Tensor) -> Tensor:
    """The signs of 64 low frequencies, but the mean, against their median: bool (n, 64)."""
    at = torch.arange(32) + 0.5
    waves = torch.stack([torch.cos(torch.pi * at * order / 32) for order in range(9)])
    frequencies = (waves @ light[:, 0] @ waves.T).flatten(1)
    kept = frequencies[:, 1:65]
    return kept > kept.median(1, keepdim=True).values
