"""SmoothGrad."""

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.engine.checks import check_count, prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.engine.sums import Terms, slope, sum_of


def smoothgrad(
    model: nn.Module,
    images: Tensor,
    target: Tensor | int | None = None,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    softplus_beta: float | None = None,
    chunk: int = 64,
) -> Tensor:
    """The mean gradient over noisy copies of the image (Smilkov et al., 2017).

    Args:
        model, images, target, bounds, normalise, softplus_beta, chunk: as in :func:`gradient`.
        samples: noisy copies per image.
        noise: standard deviation, as a share of the bounds' range (the paper: 0.1 to 0.2).
        seed: of the noise, which is the same for every image, so that a map does not depend on
            the other images of the batch. The target is that of the image without noise.

    Returns:
        As :func:`gradient`.

    Raises:
        CurateError: as :func:`gradient`, or fewer than one sample, noise below 0.
    """
    net, target = prepare(model, images, target, bounds, normalise, softplus_beta, chunk)
    check_count("samples", samples)
    check_count("seed", seed, 0)
    if not noise >= 0:
        raise CurateError(f"noise: {noise}; give a share of the pixels' range, such as 0.15")
    scale = noise * net.span
    return smoothgrad_maps(net, images, target, samples=samples, scale=scale, seed=seed)


def smoothgrad_maps(
    net: Net, images: Tensor, target: Tensor, *, samples: int, scale: float, seed: int
) -> Tensor:
    """:func:`smoothgrad` without its checks; ``scale`` is in pixel units."""
    rows = torch.arange(len(images), device=images.device).repeat(samples)

    def draw(part: slice) -> Tensor:
        numbers = range(part.start, min(part.stop, len(rows)))
        drawn = {k: noise_like(images, seed, k) for k in {i // len(images) for i in numbers}}
        return torch.stack([drawn[i // len(images)] for i in numbers])

    def term(part: Tensor, rows: Tensor, noise: Tensor) -> Tensor:
        return slope(net, part + scale * noise, target[rows]) / samples

    return sum_of(term, images, Terms(rows, [draw]), net.chunk)


def noise_like(images: Tensor, seed: int, number: int) -> Tensor:
    """The standard normal noise (C, H, W) of one copy; any copy can be drawn by itself."""
    generator = torch.Generator().manual_seed((seed << 20) + number)
    noise = torch.randn(images.shape[1:], generator=generator, dtype=torch.float32)
    return noise.to(images)
