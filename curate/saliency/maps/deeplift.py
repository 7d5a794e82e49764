"""DeepLIFT."""

import torch
from torch import Tensor, nn

from curate.saliency.engine.checks import prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.engine.rescale import Pairs, rescale_rules
from curate.saliency.engine.sums import slope, sum_of
from curate.saliency.maps.completeness import Baseline, baseline_like, warn_incomplete
from curate.saliency.maps.gradients import one_each


def deeplift(
    model: nn.Module,
    images: Tensor,
    target: Tensor | int | None = None,
    *,
    baseline: Baseline = 0.0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    softplus_beta: float | None = None,
    chunk: int = 64,
) -> Tensor:
    """DeepLIFT by the rescale rule (Shrikumar et al., ICML 2017): what each pixel contributed.

    The rule holds at every element-wise nonlinearity, at max-pooling, and at products of two
    activations (gates), whichever way the model calls them. There the map adds up exactly to the
    difference of the target's logits at the image and at the baseline.

    Args:
        model, images, target, bounds, normalise, softplus_beta, chunk: as in :func:`gradient`;
            a forward pass holds the chunk's images and the baseline that they share, or half of
            them and their own.
        baseline: a pixel value, or an image (C, H, W), or one for each (n, C, H, W).

    Returns:
        As :func:`gradient`.

    Raises:
        CurateError: as :func:`gradient`.

    Warns:
        CurateWarning: maps do not add up, as the model has operations with no rule (softmax,
            layer normalisation, products of matrices); :func:`completeness_error` says by how much.
    """
    net, target = prepare(model, images, target, bounds, normalise, softplus_beta, chunk)
    base = baseline_like(baseline, images)
    maps = deeplift_maps(net, images, target, base)
    warn_incomplete(net, images, target, base, maps, 0.01, "deeplift")
    return maps


def deeplift_maps(net: Net, images: Tensor, target: Tensor, base: Tensor) -> Tensor:
    """:func:`deeplift` without its checks."""
    is_shared = base.stride(0) == 0 or len(base) == 1
    chunk = net.chunk if is_shared else max(1, net.chunk // 2)

    def term(part: Tensor, rows: Tensor) -> Tensor:
        bases = base[:1] if is_shared else base[rows]
        rules = rescale_rules(net.softplus_beta, Pairs(len(part), len(bases)))
        multipliers = slope(net, torch.cat([part, bases]), target[rows], rules)
        return multipliers[: len(part)] * (part - bases)

    return sum_of(term, images, one_each(images), chunk)
