"""Correct the layers outside branches whose signal is far from where the rule expects it."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.initial import LONG_CHAIN, patch_size
from curate.nn.fixup.report import Row

_ENERGY = 3.0
"""Sum over channels of the mean square that a layer passes on: that of a normalised RGB image."""

_SIZE = 64
"""Height and width of the noise that images are replaced by where no example is given."""


@torch.no_grad()
def calibrate_(
    model: nn.Module,
    structure: Structure,
    modules: dict[str, Any],
    rows: list[Row],
    example_inputs: Any,
) -> list[Row]:
    """Rescale plain layers of a convolutional network, from its input on, by one forward pass.

    He's rule keeps the sum over the channels of the mean square, and each layer that is not in a
    branch multiplies what it misses: what gates keep, activations of small inputs, and zeros of the
    padding around small maps (a 5 x 5 kernel on 1 x 1 sees one value of 25). The weights of a long
    chain are rescaled to make the sum right, so that the errors of many layers do not multiply;
    those of two to five layers where it is more than four times too large or too small. Networks
    of one such layer, as ResNets are, are left.

    Returns:
        The rows, with what was done to them.
    """
    plain = [row.module for row in rows if row.role == "plain" and row.std]
    first = next((n for n in plain if n in structure.unbiased), None)
    if len(plain) < 2 or not isinstance(modules.get(first or ""), _ConvNd):
        return rows
    inputs = _inputs(modules[str(first)], example_inputs)
    if inputs is None:
        return rows
    factors: dict[str, float] = {}

    def correct(name: str, layer: Any, out: Tensor) -> Tensor | None:
        if name in factors:  # a layer that is called twice
            return None
        axis = 1 if isinstance(layer, _ConvNd) else -1
        energy = out.float().square().sum(axis).mean().item()
        # before a ReLU the rule has twice the energy: it halves it
        wanted = _ENERGY * 2 * structure.gains.get(name, 1.0) ** 2
        if name in structure.stream:
            wanted = out.shape[axis] * patch_size(structure, modules, out.shape[axis]) ** 2
        factors[name] = 1.0
        if not 0 < energy < math.inf or (len(plain) < LONG_CHAIN and 0.25 < wanted / energy < 4):
            return None
        factors[name] = math.sqrt(wanted / energy)
        layer.weight.mul_(factors[name])
        return out * factors[name]

    hooks = [
        modules[name].register_forward_hook(
            lambda layer, args, out, name=name: correct(name, layer, out)
        )
        for name in plain
    ]
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        if isinstance(inputs, Mapping):
            model(**inputs)
        else:
            model(*inputs)
    except Exception:  # the noise is no input of this model: the rule stays as it is
        for name, factor in factors.items():
            modules[name].weight.div_(factor)
        return rows
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    return [
        row
        if factors.get(row.module, 1.0) == 1.0 or row.std is None
        else replace(
            row,
            std=row.std * factors[row.module],
            init=f"{row.init} x {factors[row.module]:.2g} by its signal",
        )
        for row in rows
    ]


def _inputs(layer: Any, example_inputs: Any) -> Any:
    """The example, or normal noise for a convolution of images; None where neither is there."""
    if isinstance(example_inputs, (tuple, list, Mapping)):
        return example_inputs
    if example_inputs is not None:
        return (example_inputs,)
    if not isinstance(layer, nn.Conv2d) or layer.weight.is_meta:
        return None
    noise = torch.randn(
        4, layer.in_channels, _SIZE, _SIZE, generator=torch.Generator().manual_seed(0)
    )
    return (noise.to(layer.weight),)
