"""Changing the modules of a network: normalisations go, scalars come."""

from typing import Any

import torch
from torch import nn

from curate.nn.fixup.attach import AFTER, BEFORE, SCALE, attach
from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.kinds import BLOCKS, fused_activation, kind_of
from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.branches.transformer import leave_fast_path
from curate.nn.fixup.scalars import FixupBias, FixupScale


def remove_norms(model: nn.Module, biased: set[str]) -> None:
    """Put nothing, or a scalar bias, in the place of every normalisation.

    Args:
        model: changed in place.
        biased: names of those that become a bias.
    """
    found = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if kind_of(m) == "norm"]
    modules = dict(model.named_modules(remove_duplicate=False))
    substitutes: dict[int, nn.Module] = {}
    for name, norm in found:
        if id(norm) not in substitutes:
            substitutes[id(norm)] = _substitute(norm, name in biased)
        parent, _, child = name.rpartition(".")
        setattr(modules[parent], child, substitutes[id(norm)])
    for module in modules.values():
        if isinstance(module, BLOCKS):
            leave_fast_path(module)


def _substitute(norm: Any, biased: bool) -> nn.Module:
    parts: list[nn.Module] = [_like(FixupBias, norm)] if biased else []
    act = fused_activation(norm)
    if act is not None:
        drop = getattr(norm, "drop", None)
        parts += [part for part in (drop, act) if isinstance(part, nn.Module)]
    if len(parts) == 1:
        return parts[0]
    return nn.Sequential(*parts) if parts else nn.Identity()


def attach_biases(found: Structure, modules: dict[str, Any]) -> None:
    """A scalar bias before every convolution, linear layer and activation (rule 3).

    Layers of one branch and its shortcut that read the same tensor share their bias. A stem, which
    reads the network's input, has none before it.
    """
    furnished = _Furnished(modules)
    gates, stems = set(found.gates), found.unbiased.intersection(found.plain)
    for branch in [*found.branches, *_alone(found.plain)]:
        shared: dict[object, nn.Module] = {}
        for name in (*branch.layers, *branch.shortcut):
            if name in found.biased or name in furnished or name in stems:
                continue
            key = found.source.get(name, name)
            bias = shared.get(key) or _like(FixupBias, modules[name])
            shared[key] = attach(modules[name], BEFORE, bias)
    after = (found.before_activation | found.sum_before_activation) - gates
    for place, names in ((AFTER, after), (BEFORE, found.act_modules)):
        for name in sorted(names):
            if name not in furnished:
                attach(modules[name], place, _like(FixupBias, modules[name]))


def attach_scales(
    found: Structure, modules: dict[str, Any], initial: float, learnable: bool = True
) -> None:
    """One multiplier a branch, after its last layer."""
    furnished = _Furnished(modules)
    for branch in found.branches:
        if branch.last[0] in furnished or found.scaled.intersection(branch.last):
            continue
        scale: Any = _like(FixupScale, modules[branch.last[0]])
        if not learnable:
            scale = FixupScale(initial, False).to(scale.scale.device, scale.scale.dtype)
        for name in branch.last:
            scale = attach(modules[name], SCALE, scale)
        if isinstance(scale, FixupScale):
            scale.initial = initial


@torch.no_grad()
def reset_scalars(model: nn.Module) -> None:
    """Every bias 0, every multiplier at its start."""
    for module in model.modules():
        if isinstance(module, (FixupBias, FixupScale)):
            module.reset_parameters()
            continue
        for name in getattr(module, "fixup_scalars", ()):
            nn.init.constant_(getattr(module, name), float(name == "scale"))


def _alone(names: list[str]) -> list[Branch]:
    return [Branch(name, (name,), (), 1) for name in names]


def _like(kind: type[FixupBias] | type[FixupScale], module: nn.Module) -> nn.Module:
    """A scalar on the device and of the type of a module's own parameters."""
    like = next((p for p in module.parameters() if p.is_floating_point()), None)
    if like is None:
        return kind()
    return kind(device=like.device, dtype=like.dtype)


class _Furnished:
    """Whether a name lies in a module that has scalars of its own making (FixupBasicBlock)."""

    def __init__(self, modules: dict[str, Any]) -> None:
        self.owners = {
            name
            for name, module in modules.items()
            if hasattr(module, "fixup_scalars") and not isinstance(module, (FixupBias, FixupScale))
        }

    def __contains__(self, name: str) -> bool:
        if not self.owners:
            return False
        parts = name.split(".")
        return any(".".join(parts[:end]) in self.owners for end in range(len(parts) + 1))
