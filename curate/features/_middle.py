"""What a trained network sees half way: where things are, not yet what they are called."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from curate.errors import CurateError
from curate.features.images import checked_images

_AT_ONCE = 128
_GRID = 4
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def middle(
    model: nn.Module,
    layer: str | None = None,
    mean: tuple[float, ...] = _MEAN,
    std: tuple[float, ...] = _STD,
) -> Callable[[Tensor], Tensor]:
    """The activations of a network's middle layer, averaged over a grid of 4×4 cells.

    They tell copies of one picture from other pictures of the same class, which the penultimate
    layer (:func:`curate.features.cnn`) is trained not to do. The network stops after that layer;
    it runs in evaluation mode, without gradients, on the device of its parameters.

    Args:
        model: takes float images (N, 3, H, W).
        layer: the name of a module, as ``model.named_modules`` has it, with an output of shape
            (N, C, h, w); None: the last one of the middle resolution. Of a ResNet for CIFAR's
            images or for ImageNet's this is ``layer2``.
        mean: what to subtract from each channel of images in 0..1; ImageNet's.
        std: what to divide by then; ImageNet's.

    Returns:
        A function from images, uint8 or floating in 0..1 of shape (N, 3, H, W), to float32
        features of shape (N, 16·C) on the CPU.

    Raises:
        CurateError: no layer of this name; and, when called, a network that does not take the
            images, or has no such layer.
    """
    named = dict(model.named_modules())
    if layer is not None and layer not in named:
        raise CurateError(f"layer: {layer!r} is none of the network's; such as {list(named)[1:9]}")
    chosen: list[nn.Module] = [] if layer is None else [named[layer]]

    def features(images: Tensor) -> Tensor:
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        shift, scale = (torch.tensor(v, device=device).view(1, -1, 1, 1) for v in (mean, std))
        modes = {module: module.training for module in model.modules()}
        model.eval()
        parts = []
        try:
            with torch.inference_mode():
                for part in checked_images(images).split(_AT_ONCE):
                    values = part.to(device).float() / (255 if part.dtype == torch.uint8 else 1)
                    values = (values - shift) / scale
                    if not chosen:
                        chosen.append(_middle_layer(model, values[:1]))
                    pooled = adaptive_avg_pool2d(_output_of(model, chosen[0], values), _GRID)
                    parts.append(pooled.flatten(1).float().cpu())
        finally:
            for module, training in modes.items():
                module.training = training
        return torch.cat(parts)

    return features


class _ReachedError(Exception):
    """The layer has run: the rest of the network need not."""


def _output_of(model: nn.Module, layer: nn.Module, images: Tensor) -> Tensor:
    found: list[Any] = []

    def stop(module: nn.Module, arguments: Any, output: Any) -> None:
        found.append(output)
        raise _ReachedError

    handle = layer.register_forward_hook(stop)
    try:
        _run(model, images)
    except _ReachedError:
        pass
    finally:
        handle.remove()
    if not found or not isinstance(found[0], Tensor) or found[0].ndim != 4:
        raise CurateError(
            f"layer: this one of the {type(model).__name__} gives no activations of shape "
            "(N, C, h, w); name a convolution or a block of them"
        )
    return found[0]


def _run(model: nn.Module, images: Tensor) -> None:
    try:
        model(images)
    except RuntimeError as error:
        raise CurateError(
            f"features: the {type(model).__name__} does not take images of shape "
            f"{tuple(images.shape)} ({str(error).splitlines()[0]}); give a network for such images,"
            " or a function that prepares them for it"
        ) from error


def _middle_layer(model: nn.Module, images: Tensor) -> nn.Module:
    """The last module to end at the middle one of the resolutions that the network goes through."""
    ended: list[tuple[nn.Module, int]] = []

    def note(module: nn.Module, arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] > 1:
            ended.append((module, output.shape[2]))

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        _run(model, images)
    finally:
        for handle in handles:
            handle.remove()
    sides = sorted({side for _, side in ended}, reverse=True)
    if not sides:
        raise CurateError(
            f"features: no layer of the {type(model).__name__} has activations of shape "
            "(N, C, h, w); give a convolutional network, or a function"
        )
    return [module for module, side in ended if side == sides[len(sides) // 2]][-1]
