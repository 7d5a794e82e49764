"""Saliency methods by name, or brought along."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.engine.checks import check_count
from curate.saliency.engine.net import Net
from curate.saliency.engine.running import twice_differentiable
from curate.saliency.maps.completeness import baseline_like
from curate.saliency.maps.deeplift import deeplift_maps
from curate.saliency.maps.grad_cam import grad_cam_maps
from curate.saliency.maps.gradients import gradient_maps, gradient_x_input_maps
from curate.saliency.maps.guided import guided_backprop_maps
from curate.saliency.maps.integrated import integrated_gradients_maps
from curate.saliency.maps.smooth import smoothgrad_maps

Explain = Callable[[Net, Tensor, Tensor], Tensor]
"""(net, images, target) -> maps."""

Method = str | Callable[[nn.Module, Tensor, Tensor], Tensor]
"""A name of ``METHODS``, or a function (model, images, target) -> maps."""


_COPIES = 16  # steps of integrated gradients, samples of SmoothGrad
_COUNTED_BY = {"integrated_gradients": "steps", "smoothgrad": "samples"}


def _integrated(net: Net, images: Tensor, target: Tensor, *, steps: int = _COPIES) -> Tensor:
    check_count("steps", steps)
    return integrated_gradients_maps(net, images, target, baseline_like(0.0, images), steps)


def _deeplift(net: Net, images: Tensor, target: Tensor) -> Tensor:
    return deeplift_maps(net, images, target, baseline_like(0.0, images))


def _smoothgrad(
    net: Net,
    images: Tensor,
    target: Tensor,
    *,
    samples: int = _COPIES,
    scale: float | None = None,
    seed: int = 0,
) -> Tensor:
    check_count("samples", samples)
    scale = 0.15 * net.span if scale is None else scale
    return smoothgrad_maps(net, images, target, samples=samples, scale=scale, seed=seed)


METHODS: dict[str, Callable[..., Tensor]] = {
    "gradient": gradient_maps,
    "gradient_x_input": gradient_x_input_maps,
    "integrated_gradients": _integrated,
    "deeplift": _deeplift,
    "smoothgrad": _smoothgrad,
    "grad_cam": grad_cam_maps,
    "guided_backprop": guided_backprop_maps,
}
"""How attacks, controls and certificates make maps, with the options each takes."""


def explainer(method: Method, options: Mapping[str, Any] | None = None) -> Explain:
    """The method as a function of a net, images and targets.

    Args:
        method: a name of ``METHODS``; or a function (model, images, target) -> maps that are
            differentiable by the images. The model it is given takes pixels.
        options: of the method by name: ``steps`` of integrated gradients, ``samples``, ``scale``
            (of the noise, in pixel units; 0.15 of the bounds' range) and ``seed`` of SmoothGrad,
            ``layer`` of Grad-CAM; and ``softplus_beta`` of any: then the β-smoothed map is the one
            that is put to the test.

    Raises:
        CurateError: an unknown name.
    """
    options = dict(options or {})
    beta = options.pop("softplus_beta", None)
    if not callable(method) and method not in METHODS:
        raise CurateError(
            f"method: {method!r}; choose one of {', '.join(METHODS)}, or give a function"
        )

    def explain(net: Net, images: Tensor, target: Tensor) -> Tensor:
        if beta is not None:  # of the map itself, which an attack's has no place in
            net = replace(net, softplus_beta=beta)
        if callable(method):
            asked = images.requires_grad and torch.is_grad_enabled()
            with twice_differentiable() if asked else nullcontext():
                maps = method(_Pixels(net), images, target, **options)
            _check_brought(maps, images)
            return maps
        try:
            return METHODS[method](net, images, target, **options)
        except TypeError as error:
            if "unexpected keyword" in str(error):
                raise CurateError(f"options: {method} does not take them ({error})") from None
            raise

    return explain


def _check_brought(maps: object, images: Tensor) -> None:
    """Refuse what is no map of these images, or hides its gradient from an attack."""
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        what = f"shape {tuple(maps.shape)}" if isinstance(maps, Tensor) else type(maps).__name__
    elif len(maps) != len(images) or maps.shape[2:] != images.shape[2:]:
        what = f"shape {tuple(maps.shape)}"
    elif images.requires_grad and torch.is_grad_enabled() and not maps.requires_grad:
        raise CurateError(
            "method: its maps have no gradient by the images, which attacks follow; leave detach() "
            "out of it, and give torch.autograd.grad create_graph=True"
        )
    else:
        return
    n, _, height, width = images.shape
    raise CurateError(
        f"method: it gives {what}; maps ({n}, channels, {height}, {width}) are needed"
    )


def copies_of(method: Method, options: Mapping[str, Any] | None) -> int:
    """Of how many gradients a map of one image is made."""
    name = _COUNTED_BY.get(method) if isinstance(method, str) else None
    return 1 if name is None else (options or {}).get(name, _COPIES)


class _Pixels(nn.Module):
    """The net as a module of pixels, for methods that are brought along."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net, self.model = net, net.model

    def forward(self, images: Tensor) -> Tensor:
        return self.net.logits(images)


def maps_of(explain: Explain, net: Net, images: Tensor, target: Tensor) -> Tensor:
    """Maps without gradients, in groups of the net's chunk."""
    parts = zip(images.detach().split(net.chunk), target.split(net.chunk), strict=True)
    return torch.cat([explain(net, part, classes).detach() for part, classes in parts])
