"""Do a map's values add up to the difference of the logits that they explain?"""

import warnings

import torch
from torch import Tensor, nn

from curate.errors import CurateError, CurateWarning
from curate.saliency.engine.checks import prepare
from curate.saliency.engine.net import Net, Normalise

Baseline = float | Tensor


def completeness_error(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Tensor | int | None = None,
    *,
    baseline: Baseline = 0.0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    softplus_beta: float | None = None,
    chunk: int = 64,
) -> Tensor:
    """|sum of the map - (f(image) - f(baseline))| over |f(image) - f(baseline)|, per image.

    Integrated gradients (Sundararajan et al., 2017, Proposition 1) and DeepLIFT promise 0.

    Args:
        model, images, target, bounds, normalise, softplus_beta, chunk: as in :func:`gradient`.
        maps: of the images, their shape.
        baseline: that the maps were made with.

    Returns:
        (n,): 0.01 is one per cent of the difference.

    Raises:
        CurateError: as :func:`gradient`, or maps of another shape.
    """
    net, target = prepare(model, images, target, bounds, normalise, softplus_beta, chunk)
    if maps.shape != images.shape:
        raise CurateError(f"maps: shape {tuple(maps.shape)}; the images have {tuple(images.shape)}")
    return relative_error(net, images, target, baseline_like(baseline, images), maps)


def relative_error(net: Net, images: Tensor, target: Tensor, base: Tensor, maps: Tensor) -> Tensor:
    """:func:`completeness_error` without its checks."""
    with torch.no_grad():
        difference = scores(net, images, target) - scores(net, base, target)
        gap = (maps.flatten(1).sum(1) - difference).abs()
    return gap / difference.abs().clamp(min=torch.finfo(gap.dtype).tiny)


def scores(net: Net, images: Tensor, target: Tensor) -> Tensor:
    """The target's logits (n,), a chunk at a time."""
    with torch.no_grad():
        parts = zip(images.split(net.chunk), target.split(net.chunk), strict=True)
        return torch.cat([net.score(part, classes) for part, classes in parts])


def warn_incomplete(
    net: Net,
    images: Tensor,
    target: Tensor,
    base: Tensor,
    maps: Tensor,
    tolerance: float,
    method: str,
) -> None:
    """Warn where maps do not add up."""
    errors = relative_error(net, images.detach(), target, base, maps.detach())
    bad = int((~(errors <= tolerance)).sum())
    if bad:
        warnings.warn(
            f"{method}: the maps of {bad} of {len(errors)} images miss the difference of the "
            f"logits by more than {tolerance:.0%} of it, at worst {float(errors.max()):.1%}",
            CurateWarning,
            stacklevel=3,
        )


def baseline_like(baseline: Baseline, images: Tensor) -> Tensor:
    """The baseline of every image: (n, C, H, W).

    Raises:
        CurateError: one that does not fit the images.
    """
    value = torch.as_tensor(baseline, dtype=images.dtype, device=images.device)
    try:
        return value.detach().expand(images.shape)
    except RuntimeError:
        raise CurateError(
            f"baseline: shape {tuple(value.shape)}; give a number, or an image of shape "
            f"{tuple(images.shape[1:])}"
        ) from None
