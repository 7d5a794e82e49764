"""Branches that the caller names."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

from torch import nn

from curate.nn.fixup.branches.branch import Branch, common_name
from curate.nn.fixup.errors import FixupError

Given: TypeAlias = "str | nn.Module | Sequence[str | nn.Module]"


def explicit_branches(
    modules: dict[str, nn.Module], given: Iterable[Given], layers: dict[str, int]
) -> list[Branch]:
    """One branch for each item; a name with * or ? stands for every module that matches.

    An item is a module (or its name) whose layers are the branch in the order of registration,
    or a sequence of modules in the order of the forward pass.

    Raises:
        FixupError: a module that is not in the model, holds no layer, or is in two branches.
    """
    if isinstance(given, (str, nn.Module)):
        given = [given]
    name_of = {id(module): name for name, module in modules.items()}
    items: list[list[str]] = []
    for item in given:
        if isinstance(item, str) and any(c in item for c in "*?["):
            depth = item.count(".")
            matches = [n for n in modules if n.count(".") == depth and fnmatchcase(n, item)]
            if not matches:
                raise FixupError(f"branches: no module matches {item!r}")
            items += [[match] for match in matches]
        elif isinstance(item, (str, nn.Module)):
            items.append([_name(item, modules, name_of)])
        else:
            items.append([_name(part, modules, name_of) for part in item])
    inside: dict[str, list[str]] = {}
    for layer in layers:
        parts = layer.split(".")
        for end in range(len(parts) + 1):
            inside.setdefault(".".join(parts[:end]), []).append(layer)
    branches, taken = [], set()
    for item in items:
        chosen = [layer for name in item for layer in inside.get(name, [])]
        if not chosen:
            raise FixupError(f"branches: {item} holds no convolution, linear or attention layer")
        twice = [layer for layer in chosen if layer in taken]
        if twice:
            raise FixupError(f"branches: {twice[0]!r} is in two branches; name it in one")
        taken.update(chosen)
        length = sum(layers[layer] for layer in chosen)
        branches.append(Branch(common_name(tuple(item)), tuple(chosen), (chosen[-1],), length))
    return branches


def _name(part: str | nn.Module, modules: dict[str, nn.Module], name_of: dict[int, str]) -> str:
    if isinstance(part, str):
        if part not in modules:
            raise FixupError(f"branches: the model has no module {part!r}; see named_modules()")
        return part
    if not isinstance(part, nn.Module) or id(part) not in name_of:
        raise FixupError(f"branches: {type(part).__name__} is no module of the model")
    return name_of[id(part)]
