"""Change the modules of a network: remove normalisations, add scalars."""

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from curate.nn.fixup.attach import AFTER, BEFORE, SCALE, attach, refuse_script
from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.kinds import BLOCKS, fused_activation, kind_of
from curate.nn.fixup.branches.structure import Structure
from curate.nn.fixup.branches.transformer import leave_fast_path
from curate.nn.fixup.scalars import FixupBias, FixupScale


def remove_norms(model: nn.Module, biased: set[str]) -> None:
    """Replace every normalisation by nothing or by a scalar bias.

    Args:
        model: changed in place.
        biased: names of those that become a bias.
    """
    norms = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if kind_of(m) == "norm"]
    modules = dict(model.named_modules(remove_duplicate=False))
    substitutes: dict[int, nn.Module] = {}
    for name, norm in norms:
        if id(norm) not in substitutes:
            substitutes[id(norm)] = _substitute(norm, name in biased)
        parent, _, child = name.rpartition(".")
        setattr(modules[parent], child, substitutes[id(norm)])
    for module in modules.values():
        if isinstance(module, BLOCKS):
            leave_fast_path(module)
        if isinstance(module, nn.TransformerEncoderLayer):
            refuse_script(
                module,
                "torch.jit.script: an nn.TransformerEncoderLayer without its LayerNorms cannot be "
                "compiled, since its forward pass names their eps and weights; use torch.jit.trace",
            )


def _substitute(norm: Any, biased: bool) -> nn.Module:
    modules: list[nn.Module] = [_like(FixupBias, norm)] if biased else []
    act = fused_activation(norm)
    if act is not None:
        drop = getattr(norm, "drop", None)
        modules += [module for module in (drop, act) if isinstance(module, nn.Module)]
    if len(modules) == 1:
        return modules[0]
    return nn.Sequential(*modules) if modules else nn.Identity()


def attach_biases(
    structure: Structure, modules: dict[str, Any], without: Collection[str] = ()
) -> None:
    """A scalar bias before every convolution, linear layer and activation (rule 3).

    Layers of one branch and its shortcut that read the same tensor share their bias. A stem, which
    reads the network's input, has none before it, nor have those named in ``without``.
    """
    furnished = _Furnished(modules)
    gates, stems = set(structure.gates), structure.unbiased.intersection(structure.plain)
    gates, stems = gates.union(without), stems.union(without)
    for branch in [*structure.branches, *_alone(structure.plain)]:
        shared: dict[object, nn.Module] = {}
        for name in (*branch.layers, *branch.shortcut):
            if name in structure.biased or name in furnished or name in stems:
                continue
            key = structure.source.get(name, name)
            bias = shared.get(key) or _like(FixupBias, modules[name])
            shared[key] = attach(modules[name], BEFORE, bias)
    after = (structure.before_activation | structure.sum_before_activation) - gates
    for position, names in ((AFTER, after), (BEFORE, structure.act_modules)):
        for name in sorted(names):
            if name not in furnished:
                attach(modules[name], position, _like(FixupBias, modules[name]))


def attach_scales(
    structure: Structure, modules: dict[str, Any], initial: float, learnable: bool = True
) -> None:
    """One multiplier per branch, after its last layer."""
    furnished = _Furnished(modules)
    for branch in structure.branches:
        if branch.last[0] in furnished or structure.scaled.intersection(branch.last):
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
    """Set every bias to 0 and every multiplier to its initial value."""
    for module in model.modules():
        if isinstance(module, (FixupBias, FixupScale)):
            module.reset_parameters()
            continue
        for name in getattr(module, "fixup_scalars", ()):
            nn.init.constant_(getattr(module, name), float(name == "scale"))


def _alone(names: list[str]) -> list[Branch]:
    return [Branch(name, (name,), (), 1) for name in names]


def _like(kind: type[FixupBias] | type[FixupScale], module: nn.Module) -> nn.Module:
    """A scalar on the device and of the dtype of a module's parameters."""
    like = next((p for p in module.parameters() if p.is_floating_point()), None)
    if like is None:
        return kind()
    return kind(device=like.device, dtype=like.dtype)


class _Furnished:
    """The names inside modules that define their own scalars (FixupBasicBlock)."""

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
