"""The rule itself: how one branch of m layers is initialised in a network of L branches."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from curate.nn.fixup.branches.kinds import is_transposed_linear
from curate.nn.fixup.errors import FixupError


def branch_scale(num_branches: int, num_layers: int) -> float:
    """L^(-1/(2m-2)): what He's standard deviation is multiplied by inside a branch.

    Args:
        num_branches: L, the residual branches of the network, at least 1.
        num_layers: m, the layers with weights in this branch, at least 1. With m = 1 the only
            layer is zero and the factor is 1.

    Raises:
        FixupError: a number below 1.

    Example:
        >>> branch_scale(16, 2), branch_scale(16, 3)
        (0.25, 0.5)
    """
    for name, value in (("num_branches", num_branches), ("num_layers", num_layers)):
        if value < 1:
            raise FixupError(f"{name}: {value}; a network has at least 1")
    if num_layers == 1:
        return 1.0
    return num_branches ** (-1.0 / (2 * num_layers - 2))


def he_std(layer: Any) -> float:
    """He et al.'s standard deviation sqrt(2 / fan_out), as the paper's authors use it.

    fan_out = (kernel elements) x (output channels of one group), so that a depthwise convolution
    keeps the size of what passes it, too.

    Raises:
        FixupError: not a convolution, transposed convolution or linear layer.
    """
    if is_transposed_linear(layer):
        return math.sqrt(2.0 / layer.weight.shape[1])
    if not isinstance(layer, (_ConvNd, nn.Linear)):
        raise FixupError(
            f"layers: {type(layer).__name__} is no convolution or linear layer; give those only"
        )
    weight = layer.weight
    if isinstance(layer, _ConvTransposeNd):
        outputs = weight.shape[1]
    else:
        outputs = weight.shape[0] // getattr(layer, "groups", 1)
    return math.sqrt(2.0 / (outputs * math.prod(weight.shape[2:])))


def he_(layer: Any, factor: float, generator: torch.Generator | None = None) -> float:
    """Draw a layer's weight from N(0, (factor x He)^2), zero its bias; the std in use."""
    std = he_std(layer) * factor
    with torch.no_grad():
        _normal_(layer.weight, std, generator)
        if layer.bias is not None:
            layer.bias.zero_()
    return std


def zero_(layer: Any) -> None:
    """Zero a layer's weight and bias."""
    with torch.no_grad():
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()


def fixup_init_(
    layers: Sequence[Any],
    num_branches: int,
    *,
    generator: torch.Generator | None = None,
) -> Sequence[Any]:
    """Initialise one residual branch in place, by hand: Zhang et al., 2019, rules 1 and 2.

    The last layer becomes zero, the m - 1 others He x L^(-1/(2m-2)); biases become zero.

    Args:
        layers: the convolutions and linear layers of the branch, in order.
        num_branches: L, how many residual branches the whole network has.
        generator: where random numbers come from; None: torch's default.

    Returns:
        The same layers.

    Raises:
        FixupError: no layers, or one that is no convolution or linear layer.

    Example:
        >>> branch = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        >>> _ = fixup_init_([branch[0], branch[2]], num_branches=10)
        >>> branch(torch.ones(1, 8)).abs().max().item()
        0.0
    """
    if not layers:
        raise FixupError("layers: none; give the layers of one branch in order")
    factor = branch_scale(num_branches, len(layers))
    for layer in layers:
        he_std(layer)  # refuse a foreign module before anything has changed
    for layer in layers[:-1]:
        he_(layer, factor, generator)
    zero_(layers[-1])
    return layers


def _normal_(weight: Tensor, std: float, generator: torch.Generator | None) -> None:
    if weight.is_meta:
        return
    weight.normal_(0.0, std, generator=generator)
