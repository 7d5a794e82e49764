"""Grad-CAM."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from curate.errors import CurateError
from curate.saliency.engine.checks import prepare
from curate.saliency.engine.net import Net, Normalise
from curate.saliency.engine.sums import slope, sum_of
from curate.saliency.maps.gradients import one_each


def grad_cam(
    model: nn.Module,
    images: Tensor,
    target: Tensor | int | None = None,
    *,
    layer: nn.Module | str | None = None,
    relu: bool = False,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    softplus_beta: float | None = None,
    chunk: int = 64,
) -> Tensor:
    """Grad-CAM (Selvaraju et al., ICCV 2017): which places of the last feature map spoke for it.

    Args:
        model, images, target, bounds, normalise, softplus_beta, chunk: as in :func:`gradient`.
        layer: a module of the model or its name, whose output is a feature map (n, K, h, w);
            None: the last module that gives one of more than one place, and is not made of logits.
        relu: leave negative values out, as the paper's eq. 2 does; False keeps the sign.

    Returns:
        As :func:`gradient`: the map, enlarged bilinearly and divided evenly among the channels, so
        that their sum is the paper's map.

    Raises:
        CurateError: as :func:`gradient`, or no such layer, or one that gives no feature map.
    """
    net, target = prepare(model, images, target, bounds, normalise, softplus_beta, chunk)
    return grad_cam_maps(net, images, target, layer=layer, relu=relu)


def grad_cam_maps(
    net: Net,
    images: Tensor,
    target: Tensor,
    *,
    layer: nn.Module | str | None = None,
    relu: bool = False,
) -> Tensor:
    """:func:`grad_cam` without its checks."""
    module = _last_feature_map(net, images) if layer is None else _find(net.model, layer)

    def term(part: Tensor, rows: Tensor) -> Tensor:
        seen: list[Tensor] = []

        def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
            seen.append(output)
            return output.clone()  # what follows may work in place

        with torch.enable_grad():
            if not part.requires_grad:
                part = part.detach().requires_grad_()
            hook = module.register_forward_hook(keep)
            try:
                weights = slope(net, part, target[rows], by=_only(seen)).mean((2, 3), keepdim=True)
            finally:
                hook.remove()
            places = (weights * seen[-1]).sum(1, keepdim=True)
            places = places.clamp(min=0) if relu else places
            whole = interpolate(places, part.shape[2:], mode="bilinear", align_corners=False)
            return whole.expand_as(part) / part.shape[1]

    return sum_of(term, images, one_each(images), net.chunk)


def _only(seen: list[Tensor]) -> Callable[[], Tensor]:
    def output() -> Tensor:
        if not seen or not isinstance(seen[-1], Tensor) or seen[-1].ndim != 4:
            raise CurateError(
                "layer: its output is no feature map (n, channels, height, width); name a "
                "convolution or a block of them"
            )
        return seen[-1]

    return output


def _find(model: nn.Module, layer: nn.Module | str) -> nn.Module:
    modules = dict(model.named_modules())
    if isinstance(layer, str):
        if layer not in modules:
            raise CurateError(
                f"layer: {layer!r} is no module of the model; choose one such as "
                f"{', '.join(list(modules)[1:6])}"
            )
        return modules[layer]
    if not any(layer is module for module in modules.values()):
        raise CurateError("layer: the module is not part of the model; give one of its own")
    return layer


def _last_feature_map(net: Net, images: Tensor) -> nn.Module:
    found: list[nn.Module] = []
    channels: list[int] = []

    def look(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
            found.append(module)
            channels.append(output.shape[1])

    hooks = [module.register_forward_hook(look) for module in net.model.modules()]
    try:
        with torch.no_grad():
            classes = net.logits(images[:1].detach()).shape[1]
    finally:
        for hook in hooks:
            hook.remove()
    for module, width in zip(reversed(found), reversed(channels), strict=True):
        if width != classes:
            return module
    raise CurateError(
        "layer: no module of the model gives a feature map of more than one place; name one"
    )
