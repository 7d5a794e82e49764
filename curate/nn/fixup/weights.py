"""Which weights can be set: those that the forward pass uses as they are, under one name."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized

from curate.nn.fixup.branches.kinds import ATTENTION, kind_of
from curate.nn.fixup.errors import FixupError
from curate.nn.fixup.report import Row

_SMALL = 0.5


def refuse_foreign_weights(modules: dict[str, nn.Module]) -> None:
    """Refuse layers whose forward pass makes its weight out of ``.weight`` or of something else.

    Raises:
        FixupError: it names them.
    """
    lazy = [
        n
        for n, m in modules.items()
        if kind_of(m) == "layer" and any(map(is_lazy, m.parameters(False)))
    ]
    if lazy:
        raise FixupError(
            f"model: the weight of {lazy[0]!r} has no size yet; run the model once on an input"
        )
    made: list[str] = []
    for name, module in modules.items():
        if kind_of(module) != "layer" or isinstance(module, ATTENTION):
            if kind_of(module) == "layer" and is_parametrized(module):
                made.append(name)
            continue
        if is_parametrized(module):
            raise FixupError(
                f"model: the weight of {name!r} is parametrized (spectral or weight norm), so it "
                "cannot be set; call torch.nn.utils.parametrize.remove_parametrizations first"
            )
        if "weight" not in module._parameters or not _uses_weight(module):
            made.append(name)
    if made:
        raise FixupError(
            f"model: {made[0]!r} ({type(modules[made[0]]).__name__}; {len(made)} such layers) "
            "makes the weight that it uses anew in each forward pass (weight standardisation, "
            "weight or spectral norm), so setting .weight does not set it; use plain layers, or "
            "call torch.nn.utils.remove_weight_norm or remove_spectral_norm first"
        )
    own = [
        name
        for name, module in modules.items()
        if kind_of(module) == "other"
        and isinstance(module, (nn.RNNBase, nn.RNNCellBase, nn.Bilinear))
    ]
    own += [
        name
        for name, module in modules.items()
        if kind_of(module) == "other"
        and (weight := module._parameters.get("weight")) is not None
        and weight.ndim >= 2
        and type(module).__name__ != "ConvTBC"
        and "Embedding" not in type(module).__name__
    ]
    if own:
        raise FixupError(
            f"model: {own[0]!r} ({type(modules[own[0]]).__name__}; {len(own)} such modules) has a "
            "weight of its own and is no layer of torch, so what it does with it is not known; "
            "make it a torch.nn.Linear or a convolution"
        )


def _uses_weight(layer: Any) -> bool:
    """Whether the output is proportional to the weight: a layer of torch, or one that acts so."""
    if type(layer).forward in (nn.Linear.forward, nn.Conv1d.forward, nn.Conv2d.forward,
                               nn.Conv3d.forward):  # fmt: skip
        return True
    if layer.weight.is_meta or not isinstance(layer, (nn.Linear, _ConvNd)):
        return True
    probe: Any = copy.deepcopy(layer).eval().float().cpu()
    if isinstance(layer, _ConvNd):
        extent = [d * (k - 1) + 2 for k, d in zip(probe.kernel_size, probe.dilation, strict=True)]
        inputs = torch.ones(1, probe.in_channels, *extent)
    else:
        inputs = torch.ones(1, probe.in_features)
    inputs = inputs + 0.1 * torch.arange(inputs.numel()).reshape(inputs.shape).sin()
    try:
        with torch.no_grad():
            if probe.bias is not None:
                probe.bias.zero_()
            probe.weight.copy_(torch.arange(probe.weight.numel()).reshape(probe.weight.shape).cos())
            once = probe(inputs)
            probe.weight.mul_(2)
            twice = probe(inputs)
    except Exception:  # a layer with other inputs than these
        return True
    return torch.allclose(twice, 2 * once, rtol=1e-3, atol=1e-4)


def sharers(modules: dict[str, nn.Module]) -> dict[str, str]:
    """For every module whose weight another one holds as well, the name of the other."""
    first: dict[int, str] = {}
    found: dict[str, str] = {}
    for name, module in modules.items():
        weight = module._parameters.get("weight")
        if weight is None:
            continue
        other = first.setdefault(id(weight), name)
        if other != name:
            found[name], found[other] = other, name
    return found


def refuse_tied_branches(rows: list[Row], shared: dict[str, str]) -> None:
    """Refuse a weight in a branch that something else holds, and that would be set otherwise.

    Raises:
        FixupError: it names both modules.
    """
    by_name = {row.module: row for row in rows}
    for row in rows:
        other = shared.get(row.module)
        if other is None or not row.role.startswith("branch") or row.std is None:
            continue
        partner = by_name.get(other)
        if partner is None or partner.std != row.std:
            raise FixupError(
                f"model: {row.module!r}, in a branch, and {other!r} hold one and the same weight, "
                f"and the rule sets the first to {row.init!r}; untie them"
            )


def layer_scales(modules: dict[str, nn.Module]) -> dict[str, nn.Parameter]:
    """LayerScales by name: small and equal numbers, one a channel, that multiply a branch."""
    found = {}
    for name, module in modules.items():
        if kind_of(module) not in ("other", "block"):
            continue
        for key, value in module._parameters.items():
            if value is None or value.is_meta or not value.is_floating_point() or not value.numel():
                continue
            one_axis = value.numel() == max(value.shape, default=1) and value.numel() > 1
            number = value.flatten()[0].item()
            if one_axis and 0 < abs(number) <= _SMALL and bool((value == number).all()):
                found[f"{name}.{key}".lstrip(".")] = value
    return found
