"""The simple gradient, alone and times its input."""

import torch
from torch import Tensor, nn

from curate.saliency.engine.checks import prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.engine.sums import Terms, slope, sum_of


def gradient(
    model: nn.Module,
    images: Tensor,
    target: Tensor | int | None = None,
    *,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    softplus_beta: float | None = None,
    chunk: int = 64,
) -> Tensor:
    """The derivative of the target's logit by every pixel (Simonyan et al., 2014).

    Args:
        model: any ``nn.Module`` in ``eval()`` mode, images to logits (n, classes); it may use
            functional, reused and in-place nonlinearities, and is not changed.
        images: float (n, C, H, W), in pixel units. Where they require a gradient, the maps are
            differentiable; with more than ``chunk`` images, by the images and once.
        target: the class to explain: an index, int64 (n,), or None for the predicted class.
        bounds: lowest and highest value of a pixel.
        normalise: what the model wants to be done to pixels first: (mean, std) per channel, or a
            function. The map is by the pixels before it.
        softplus_beta: explain the model with softplus of this β in place of ReLU, as attacks do
            and as a defence (β-smoothing; Dombrowski et al., NeurIPS 2019); None: the model.
        chunk: images in one forward pass at most.

    Returns:
        Signed, of the images' shape and dtype. A pixel's score is the sum over channels of
        absolute values, :func:`pixel_scores`.

    Raises:
        CurateError: a model that gives no logits or mixes the examples of a batch, images outside
            the bounds, or a target that the model has not.
    """
    net, target = prepare(model, images, target, bounds, normalise, softplus_beta, chunk)
    return gradient_maps(net, images, target)


def gradient_x_input(
    model: nn.Module,
    images: Tensor,
    target: Tensor | int | None = None,
    *,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    softplus_beta: float | None = None,
    chunk: int = 64,
) -> Tensor:
    """The simple gradient times the pixels (Shrikumar et al., 2016).

    Arguments, result and errors are those of :func:`gradient`.
    """
    net, target = prepare(model, images, target, bounds, normalise, softplus_beta, chunk)
    return gradient_x_input_maps(net, images, target)


def gradient_maps(net: Net, images: Tensor, target: Tensor) -> Tensor:
    """:func:`gradient` without its checks."""

    def term(part: Tensor, rows: Tensor) -> Tensor:
        return slope(net, part, target[rows])

    return sum_of(term, images, one_each(images), net.chunk)


def gradient_x_input_maps(net: Net, images: Tensor, target: Tensor) -> Tensor:
    """:func:`gradient_x_input` without its checks."""
    return gradient_maps(net, images, target) * images


def one_each(images: Tensor) -> Terms:
    """One term per image."""
    return Terms(torch.arange(len(images), device=images.device))
