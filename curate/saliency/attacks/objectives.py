"""What an attack on an explanation wants: higher is better for the attacker."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from curate.errors import CurateError
from curate.saliency.engine.checks import check_maps
from curate.saliency.maps.scores import pixel_scores
from curate.saliency.measures.agreement import centres, check_k

Objective = Literal["topk", "centre", "region", "target"]
OBJECTIVES: tuple[Objective, ...] = ("topk", "centre", "region", "target")

Wanted = Callable[[Tensor, Tensor], Tensor]
"""(maps (m, C, H, W), the rows (m,) of the images that they explain) -> (m,)."""


def wanted(objective: str, maps: Tensor, k: int, region: Tensor | None = None) -> Wanted:
    """The objective of an attack on these maps (Ghorbani et al., 2019, algorithm 1).

    Scores of pixels are scaled to a sum of 1.

    Args:
        objective: "topk": less on the k pixels that were highest; "centre": the centre of mass
            far from where it was; "region": more on the pixels of ``region``; "target": near its
            own map turned by half, in squared distance (a target map; Dombrowski et al., 2019).
        maps: of the images before the attack.
        k: pixels.
        region: bool (H, W) or (n, H, W).

    Raises:
        CurateError: an unknown objective, NaN maps, maps of zeros, k above the pixels, or a region
            of another shape.
    """
    check_maps(maps)
    scores = pixel_scores(maps.detach())
    if not bool((scores.flatten(1).sum(1) > 0).all()):
        row = int((scores.flatten(1).sum(1) == 0).nonzero()[0])
        raise CurateError(
            f"maps: that of image {row} is zero everywhere, so there is nothing to attack; leave "
            "the image out"
        )
    check_k(k, scores[0].numel())
    if objective == "topk":
        marks = torch.zeros_like(scores).flatten(1)
        marks.scatter_(1, scores.flatten(1).topk(k, 1).indices, 1.0)
        marks = marks.view_as(scores)
        return lambda maps, rows: -(shares(maps) * marks[rows]).sum((1, 2))
    if objective == "region":
        if region is None or region.shape[-2:] != scores.shape[1:]:
            raise CurateError(
                f"region: give a bool tensor of shape {tuple(scores.shape[1:])}, True where the "
                "attack wants the map to be"
            )
        aim = region.to(scores).expand_as(scores)
        return lambda maps, rows: (shares(maps) * aim[rows]).sum((1, 2))
    if objective == "centre":
        before = centres(scores)
        return lambda maps, rows: _distance(centres(shares(maps)) - before[rows])
    if objective == "target":
        goal = shares(maps.detach()).flip(1, 2)
        return lambda maps, rows: -((shares(maps) - goal[rows]) ** 2).sum((1, 2))
    raise CurateError(f"objective: {objective!r}; choose one of {', '.join(OBJECTIVES)}")


def fewest_kept(want: Wanted, maps: Tensor, k: int) -> Wanted:
    """Minus the number of the k highest pixels of these maps that are left among them; of equal
    numbers the objective decides, which lies in -1..0."""
    top = pixel_scores(maps.detach()).flatten(1).topk(k, 1).indices

    def kept(maps: Tensor, rows: Tensor) -> Tensor:
        scores = pixel_scores(maps).flatten(1)
        among = torch.zeros_like(scores, dtype=torch.bool)
        among.scatter_(1, scores.topk(k, 1).indices, True)
        return want(maps, rows) - among.gather(1, top[rows]).sum(1)

    return kept


def shares(maps: Tensor) -> Tensor:
    """Scores of pixels, scaled to a sum of 1: (n, H, W)."""
    scores = pixel_scores(maps)
    total = scores.sum((1, 2), keepdim=True)
    return scores / total.clamp(min=torch.finfo(scores.dtype).tiny)


def _distance(gap: Tensor) -> Tensor:
    # at the very centre the root has no derivative
    return (gap.square().sum(1) + torch.finfo(gap.dtype).tiny).sqrt()
