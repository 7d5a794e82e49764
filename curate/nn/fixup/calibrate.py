"""What one forward pass corrects: the scale of layers outside branches, the mean of inputs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.utils.hooks import RemovableHandle

from curate.nn.fixup.attach import BEFORE
from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.kinds import kind_of
from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.initial import LONG_CHAIN, patch_size
from curate.nn.fixup.report import Row
from curate.nn.fixup.scalars import FixupBias

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
    if not _run(model, inputs, hooks):  # the rule stays as it is
        for name, factor in factors.items():
            modules[name].weight.div_(factor)
        return rows
    return [_rescaled(row, factors) for row in rows]


@torch.no_grad()
def centre_(
    model: nn.Module,
    structure: Structure,
    modules: dict[str, Any],
    rows: list[Row],
    example_inputs: Any,
) -> list[Row]:
    """Centre what layers read, and make up for what averages lose, by one pass (ResNet-D).

    Behind ReLUs all numbers have a positive mean. A shortcut that averages keeps it, and loses 3/4
    of the energy of what differs from it: after some of them examples differ by 0.4 % of the
    features' energy, and training explodes when it finds that. So in networks with such shortcuts
    the biases before layers begin at minus the mean of what they are added to, and a layer behind
    an average gives the energy that He's rule expects of what its branch reads.

    Returns:
        The rows, with what was done to them, and one for every bias.
    """
    stem = next((n for n in structure.plain if n in structure.unbiased), "")
    averaging = [branch for branch in structure.branches if branch.averages]
    inputs = _inputs(modules.get(stem), example_inputs) if averaging else None
    biases = {
        f"{name}.{BEFORE}": getattr(layer, BEFORE)
        for name, layer in modules.items()
        if kind_of(layer) == "layer" and isinstance(getattr(layer, BEFORE, None), FixupBias)
    }
    if inputs is None or not biases:
        return rows
    begins = {
        branch.layers[0]: branch
        for branch in averaging
        if len(branch.shortcut) == 1 and isinstance(modules[branch.shortcut[0]], _ConvNd)
    }
    read: dict[str, float] = {}  # by the layer of a shortcut, what its branch reads
    factors: dict[str, float] = {}
    centred: set[int] = set()

    def centre(bias: Any, args: Any) -> None:
        if id(bias) not in centred:  # two layers that read the same share one
            centred.add(id(bias))
            bias.bias.fill_(-args[0].mean())

    def measure(branch: Branch, args: Any) -> None:
        read.setdefault(branch.shortcut[0], _energy(args[0]))

    def correct(name: str, layer: Any, out: Tensor) -> Tensor | None:
        energy = _energy(out)
        if name in factors or not read.get(name) or not 0 < energy < math.inf:
            return None
        factors[name] = math.sqrt(2 * read[name] / energy)
        layer.weight.mul_(factors[name])
        return out * factors[name]

    hooks = [bias.register_forward_pre_hook(centre) for bias in set(biases.values())]
    for name, branch in begins.items():
        short = branch.shortcut[0]
        hooks.append(  # behind the bias
            modules[name].register_forward_pre_hook(lambda m, a, branch=branch: measure(branch, a))
        )
        hooks.append(
            modules[short].register_forward_hook(lambda m, a, o, short=short: correct(short, m, o))
        )
    if not _run(model, inputs, hooks):
        for bias in biases.values():
            bias.reset_parameters()
        for name, factor in factors.items():
            modules[name].weight.div_(factor)
        return rows
    rows = [_rescaled(row, factors) for row in rows]
    return [*rows, *(Row(name, "bias", "minus the mean") for name in biases)]


def _energy(x: Tensor) -> float:
    """Sum over channels of the mean square of images or their maps."""
    return x.float().square().sum(1).mean().item()


def _rescaled(row: Row, factors: Mapping[str, float]) -> Row:
    factor = factors.get(row.module, 1.0)
    if factor == 1.0 or row.std is None:
        return row
    return replace(row, std=row.std * factor, init=f"{row.init} x {factor:.2g} by its signal")


def _run(model: nn.Module, inputs: Any, hooks: Sequence[RemovableHandle]) -> bool:
    """One forward pass with hooks, and without them afterwards; False where the model raises.

    Noise is no input of every model.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        if isinstance(inputs, Mapping):
            model(**inputs)
        else:
            model(*inputs)
    except Exception:
        return False
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    return True


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
