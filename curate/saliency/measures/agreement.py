"""How much of a map is left: rank correlations, top pixels, centre of mass, structure."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from curate.errors import CurateError
from curate.saliency.engine.checks import check_count
from curate.saliency.measures.ranks import mean_ranks


def spearman(scores: Tensor, others: Tensor) -> np.ndarray:
    """Spearman's ρ of two score maps of each example, equal pixels at their mean rank.

    Args:
        scores: (n, H, W), as :func:`pixel_scores` gives them.
        others: the same.

    Returns:
        float64 (n,), -1 to 1; NaN where all pixels of a map are equal.

    Raises:
        CurateError: maps of different shapes, or NaN in one.
    """
    a, b = _pair(scores, others)
    found = np.empty(len(a))
    middle = (a.shape[1] + 1) / 2
    for row in range(len(a)):
        x, y = mean_ranks(a[row]), mean_ranks(b[row])
        x -= middle
        y -= middle
        size = np.sqrt((x @ x) * (y @ y))
        found[row] = x @ y / size if size else np.nan
    return found


def kendall(scores: Tensor, others: Tensor) -> np.ndarray:
    """Kendall's τ_b of two score maps of each example; as :func:`spearman`."""
    from scipy.stats import kendalltau

    a, b = _pair(scores, others)
    return np.array([kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)], np.float64)


def topk_intersection(scores: Tensor, others: Tensor, k: int) -> np.ndarray:
    """The share of the k highest pixels that both maps have in common, per example.

    Args:
        scores: (n, H, W).
        others: the same.
        k: pixels; of equal ones the first counts.

    Returns:
        float64 (n,), 0 to 1.

    Raises:
        CurateError: as :func:`spearman`, or more pixels than there are.
    """
    a, b = _pair(scores, others)
    check_k(k, a.shape[1])
    marks = np.zeros(a.shape, bool)
    np.put_along_axis(marks, _highest(a, k), True, 1)
    return np.take_along_axis(marks, _highest(b, k), 1).mean(1)


def centre_shift(scores: Tensor, others: Tensor) -> np.ndarray:
    """Distance between the centres of mass of two score maps of each example, in pixels.

    Args:
        scores: (n, H, W).
        others: the same.

    Returns:
        float64 (n,); NaN where a map is zero everywhere.
    """
    _pair(scores, others)
    gap = centres(scores.double()) - centres(others.double())
    return gap.norm(dim=1).cpu().numpy()


def ssim(scores: Tensor, others: Tensor) -> np.ndarray:
    """Structural similarity (Wang et al., 2004) of two score maps, each scaled to 0..1.

    Gaussian windows of 11 pixels, σ 1.5, K₁ .01, K₂ .03, averaged over whole windows.

    Args:
        scores: (n, H, W), 11 pixels or more each way.
        others: the same.

    Returns:
        float64 (n,), at most 1.

    Raises:
        CurateError: as :func:`spearman`, or maps too small for a window.
    """
    _pair(scores, others)
    if min(scores.shape[1:]) < 11:
        raise CurateError(f"scores: maps of {tuple(scores.shape[1:])}; SSIM needs 11 x 11 pixels")
    a, b = (_unit_range(maps.double())[:, None] for maps in (scores, others))
    line = torch.exp(-((torch.arange(11, device=a.device) - 5.0) ** 2) / (2 * 1.5**2)).double()
    line = line / line.sum()

    def blur(maps: Tensor) -> Tensor:
        return conv2d(conv2d(maps, line.view(1, 1, 11, 1)), line.view(1, 1, 1, 11))

    mean_a, mean_b = blur(a), blur(b)
    spread_a = blur(a * a) - mean_a**2
    spread_b = blur(b * b) - mean_b**2
    shared = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similar = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    similar = similar / ((mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2))
    return similar.mean((1, 2, 3)).cpu().numpy()


def centres(scores: Tensor) -> Tensor:
    """Row and column of each map's centre of mass, counted from 0: (n, 2)."""
    share = scores / scores.sum((1, 2), keepdim=True)
    height, width = (
        torch.arange(size, device=scores.device).to(scores) for size in share.shape[1:]
    )
    return torch.stack([share.sum(2) @ height, share.sum(1) @ width], 1)


def check_k(k: int, pixels: int) -> None:
    """Refuse a number of top pixels that there are not."""
    check_count("k", k)
    if k > pixels:
        raise CurateError(f"k: {k} pixels; a map has {pixels}, so give at most {pixels}")


def _highest(maps: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-maps, 1, kind="stable")[:, :k]


def _unit_range(maps: Tensor) -> Tensor:
    low, high = (extreme(maps.flatten(1), 1)[:, None, None] for extreme in (torch.amin, torch.amax))
    return (maps - low) / (high - low).clamp(min=torch.finfo(maps.dtype).tiny)


def _pair(scores: Tensor, others: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if scores.ndim != 3 or scores.shape != others.shape:
        raise CurateError(
            f"others: shape {tuple(others.shape)} beside {tuple(scores.shape)}; give two score "
            "maps (n, height, width) of each example"
        )
    a, b = (maps.detach().cpu().flatten(1).numpy() for maps in (scores, others))
    for maps in (a, b):
        if np.isnan(maps).any():
            raise CurateError("scores: NaN in a map; check the model's weights")
    return a, b
