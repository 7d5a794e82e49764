"""Does the prediction hang on the pixels that a map ranks high? (Petsiuk et al., BMVC 2018)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.engine.checks import check_count, check_maps, prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.maps.completeness import Baseline, baseline_like
from curate.saliency.maps.scores import pixel_scores


@dataclass(frozen=True, eq=False, repr=False)
class DeletionCurves:
    """The target's probability as pixels go and come, the highest scores first.

    Attributes:
        shares: of the pixels that are changed, float64 (points,), 0 to 1.
        deletion: probability with these pixels at the baseline, float64 (n, points); low is good.
        insertion: with only these pixels there, float64 (n, points); high is good.
    """

    shares: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def deletion_area(self) -> np.ndarray:
        """The area under each deletion curve, float64 (n,)."""
        return _area(self.deletion)

    @property
    def insertion_area(self) -> np.ndarray:
        """The area under each insertion curve, float64 (n,)."""
        return _area(self.insertion)

    def __repr__(self) -> str:
        return f"DeletionCurves({len(self.deletion)} images, {len(self.shares)} points)"

    def __str__(self) -> str:
        return (
            f"mean area under the curve of {len(self.deletion)} images: "
            f"{self.deletion_area.mean():.3f} deleting, {self.insertion_area.mean():.3f} inserting"
        )


def deletion_curves(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Tensor | int | None = None,
    *,
    baseline: Baseline = 0.5,
    points: int = 17,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> DeletionCurves:
    """Delete and insert pixels in the order of a map's scores.

    Args:
        model, images, target, bounds, normalise, chunk: as in :func:`gradient`.
        maps: of the images: (n, C, H, W).
        baseline: what a deleted pixel becomes; a value or an image.
        points: of the curve, evenly from no pixel to all.

    Raises:
        CurateError: as :func:`gradient`, maps of another shape, or with NaN.
    """
    net, target = prepare(model, images, target, bounds, normalise, None, chunk)
    if maps.shape != images.shape:
        raise CurateError(f"maps: shape {tuple(maps.shape)}; the images have {tuple(images.shape)}")
    check_maps(maps)
    check_count("points", points, 2)
    return curves(net, images, maps, target, baseline_like(baseline, images), points)


def curves(
    net: Net, images: Tensor, maps: Tensor, target: Tensor, base: Tensor, points: int
) -> DeletionCurves:
    """:func:`deletion_curves` without its checks."""
    order = pixel_scores(maps).flatten(1).argsort(dim=1, descending=True, stable=True)
    places = torch.empty_like(order)
    places.scatter_(1, order, torch.arange(order.shape[1], device=order.device).expand_as(order))
    places = places.view(len(images), 1, *images.shape[2:])
    shares = np.linspace(0, 1, points)
    deletion, insertion = [], []
    for share in shares:
        changed = places < round(share * order.shape[1])
        deletion.append(_probability(net, torch.where(changed, base, images), target))
        insertion.append(_probability(net, torch.where(changed, images, base), target))
    return DeletionCurves(shares, np.stack(deletion, 1), np.stack(insertion, 1))


def _probability(net: Net, images: Tensor, target: Tensor) -> np.ndarray:
    found = []
    with torch.no_grad():
        parts = zip(images.split(net.chunk), target.split(net.chunk), strict=True)
        for part, classes in parts:
            shares = net.logits(part).double().softmax(1)
            found.append(shares.gather(1, classes[:, None])[:, 0])
    return torch.cat(found).cpu().numpy()


def _area(curve: np.ndarray) -> np.ndarray:
    return (curve[:, :-1] + curve[:, 1:]).mean(1) / 2
