"""What every saliency method refuses, in one sentence each."""

import math

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.nn.per_example import check_examples_stay_apart
from curate.saliency.engine.net import Net, Normalise


def prepare(
    model: nn.Module,
    images: Tensor,
    target: Tensor | int | None,
    bounds: tuple[float, float],
    normalise: Normalise,
    softplus_beta: float | None,
    chunk: int,
) -> tuple[Net, Tensor]:
    """The model as a :class:`Net`, and the target class of every image: int64 (n,).

    Raises:
        CurateError: anything that cannot be explained; see :func:`curate.saliency.gradient`.
    """
    if not isinstance(model, nn.Module):
        raise CurateError(f"model: a {type(model).__name__}; give a torch.nn.Module")
    check_examples_stay_apart(model)
    check_images(images, bounds)
    check_count("chunk", chunk)
    if softplus_beta is not None and not (math.isfinite(softplus_beta) and softplus_beta > 0):
        raise CurateError(f"softplus_beta: {softplus_beta}; give a number above 0, or None")
    net = Net(model, normalise, softplus_beta, chunk, span=bounds[1] - bounds[0])
    return net, _targets(net, images, target)


def check_images(images: Tensor, bounds: tuple[float, float]) -> None:
    """Refuse images that are no float tensor (n, C, H, W) within the bounds."""
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.is_floating_point():
        what = type(images).__name__
        if isinstance(images, Tensor):
            what = f"{images.dtype} of shape {tuple(images.shape)}"
        raise CurateError(f"images: {what}; give a float tensor (images, channels, height, width)")
    if not len(images):
        raise CurateError("images: there are none; give at least one")
    low, high = bounds
    if not low < high:
        raise CurateError(f"bounds: {bounds}; give the lowest and the highest pixel value")
    least, most = (float(value) for value in images.detach().aminmax())
    if not (least >= low and most <= high):  # NaN fails too
        raise CurateError(
            f"images: values from {least:g} to {most:g} outside the bounds {low:g} to {high:g}; "
            "give pixels, and mean and std as normalise=, or other bounds="
        )


def check_count(name: str, value: int, least: int = 1) -> None:
    """Refuse what is no whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise CurateError(f"{name}: {value!r}; give a whole number of at least {least}")


def check_maps(maps: Tensor) -> None:
    """Refuse maps with NaN."""
    if bool(torch.isnan(maps).any()):
        rows = torch.isnan(maps).flatten(1).any(1).nonzero()[:, 0].tolist()
        raise CurateError(
            f"maps: NaN in {len(rows)} of {len(maps)} maps, first that of image {rows[0]}; check "
            "the model's weights and leave these images out"
        )


def _targets(net: Net, images: Tensor, target: Tensor | int | None) -> Tensor:
    if target is None:
        return net.predict(images)[0]
    given = target
    if isinstance(target, int):
        target = torch.full((len(images),), target, device=images.device)
    if (
        not isinstance(target, Tensor)
        or target.shape != (len(images),)
        or target.is_floating_point()
        or bool((target < 0).any())
    ):
        raise CurateError(
            f"target: {given!r:.60}; give a class index, or an integer tensor ({len(images)},)"
        )
    return target.to(images.device, torch.int64)
