"""How large the numbers are that a model's rectifiers read."""

from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.overrides import TorchFunctionMode

from curate.errors import CurateError
from curate.saliency.engine.net import Net
from curate.saliency.engine.smooth import name_of, smoothed

_PATCHES = 7  # random patches along each side: images as smooth as photos give the same numbers
_IMAGES = 4


class _Spreads(TorchFunctionMode):
    """Collects the standard deviation of what each call of a rectifier reads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[float] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        known = args and isinstance(args[0], Tensor)
        if known and smoothed(name_of(func), args, kwargs or {}):
            self.found.append(float(args[0].std()))
        return func(*args, **(kwargs or {}))


def rectifier_scale(net: Net, images: Tensor, bounds: tuple[float, float]) -> float:
    """The median over rectifiers of the standard deviation of what they read.

    It says how sharp a softplus has to be to stand in for ReLU: one of β = 30 does where numbers
    are near 1, is as flat as a line where they are near 0.01, and has no curvature to follow where
    they are in the hundreds. It is taken on random images, the same for every batch.

    Args:
        net: the model.
        images: (n, C, H, W), for their shape, dtype and device.
        bounds: of a pixel.

    Returns:
        1 where a model has no rectifier in reach.
    """
    generator = torch.Generator().manual_seed(0)
    patches = torch.rand(_IMAGES, images.shape[1], _PATCHES, _PATCHES, generator=generator)
    smooth = interpolate(patches, images.shape[2:], mode="bilinear").to(images)
    try:
        with torch.no_grad(), _Spreads() as spreads:
            net.logits(bounds[0] + (bounds[1] - bounds[0]) * smooth)
    except CurateError:  # a program for batches of another size, whose rectifiers nobody sees
        return 1.0
    sizes = [size for size in spreads.found if 0 < size < float("inf")]
    return median(sizes) if sizes else 1.0
