"""Integrated gradients."""

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.engine.checks import check_count, prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.engine.sums import Terms, slope, sum_of
from curate.saliency.maps.completeness import Baseline, baseline_like, warn_incomplete
from curate.saliency.maps.path_points import choose_points


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    target: Tensor | int | None = None,
    *,
    baseline: Baseline = 0.0,
    steps: int | None = None,
    tolerance: float = 0.01,
    most_steps: int = 512,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    softplus_beta: float | None = None,
    chunk: int = 64,
) -> Tensor:
    """(image - baseline) times the mean gradient on the way between (Sundararajan et al., 2017).

    By completeness the map adds up to f(image) - f(baseline), so the error of the sum over the
    way is known. When no number of steps is given, each image takes as many as it needs: the way
    is cut further where the logit least follows its gradients, until the map adds up.

    Args:
        model, images, target, bounds, normalise, softplus_beta, chunk: as in :func:`gradient`.
        baseline: a pixel value, or an image (C, H, W), or one for each (n, C, H, W).
        steps: gradients per image, at the middles of equal parts of the way; None: by completeness.
        tolerance: completeness error to reach, as a share of the difference of the logits.
        most_steps: gradients per image at most; where they do not do, a warning says so.

    Returns:
        As :func:`gradient`. :func:`completeness_error` gives the error per image. Where images
        require a gradient, the chosen points are taken as fixed.

    Raises:
        CurateError: as :func:`gradient`, or fewer than one step.

    Warns:
        CurateWarning: images whose maps still do not add up.
    """
    net, target = prepare(model, images, target, bounds, normalise, softplus_beta, chunk)
    base = baseline_like(baseline, images)
    if steps is not None:
        check_count("steps", steps)
        return integrated_gradients_maps(net, images, target, base, steps)
    check_count("most_steps", most_steps, 5)
    if not tolerance > 0:
        raise CurateError(f"tolerance: {tolerance}; give a share above 0, such as 0.01")
    maps, terms = choose_points(net, images.detach(), target, base, tolerance, most_steps)
    if images.requires_grad and torch.is_grad_enabled():
        maps = _weighted(net, images, target, base, terms)
    warn_incomplete(net, images, target, base, maps, tolerance, "integrated_gradients")
    return maps


def integrated_gradients_maps(
    net: Net, images: Tensor, target: Tensor, base: Tensor, steps: int
) -> Tensor:
    """:func:`integrated_gradients` with a fixed number of steps, without its checks."""
    count = len(images)
    rows = torch.arange(count, device=images.device).repeat_interleave(steps)
    middles = ((torch.arange(steps) + 0.5) / steps).repeat(count).to(images)
    weights = torch.full_like(middles, 1 / steps)
    return _weighted(net, images, target, base, Terms(rows, [middles, weights]))


def _weighted(net: Net, images: Tensor, target: Tensor, base: Tensor, terms: Terms) -> Tensor:
    def term(part: Tensor, rows: Tensor, place: Tensor, weight: Tensor) -> Tensor:
        way = part - base[rows]
        place, weight = (value[:, None, None, None] for value in (place, weight))
        return weight * way * slope(net, base[rows] + place * way, target[rows])

    return sum_of(term, images, terms, net.chunk)
