"""Branches of which only a part of the channels is added to x (ReXNet, DPN)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from curate.nn.fixup.branches.branch import Branch
from curate.nn.fixup.branches.graph import Node, readers_of

_PASSING = ("pass", "norm", "bias", "scale")


def with_added_outputs(
    branches: Sequence[Branch], nodes: Sequence[Node], modules: Mapping[str, Any]
) -> list[Branch]:
    """The branches, with the outputs that are added where others of a last layer are not.

    Args:
        branches: of one graph.
        nodes: the graph.
        modules: by name.
    """
    readers = readers_of(nodes)
    calls: dict[str | None, list[int]] = {}
    for index, node in enumerate(nodes):
        calls.setdefault(node.name, []).append(index)
    found = []
    for branch in branches:
        parts = {
            name: part
            for name in branch.last
            if len(calls.get(name, ())) == 1
            and (part := _added_part(nodes, readers, calls[name][0])) is not None
            and part[0] == _channels(modules[name])
        }
        added = tuple((name, *part[1:]) for name, part in parts.items())
        found.append(replace(branch, added=added) if added else branch)
    return found


def _channels(layer: Any) -> int | None:
    """The axis of a layer's outputs, as a slice of them gives it."""
    if isinstance(layer, _ConvNd) and not isinstance(layer, _ConvTransposeNd):
        return 1
    return -1 if isinstance(layer, nn.Linear) else None


def _added_part(
    nodes: Sequence[Node], readers: list[list[int]], layer: int
) -> tuple[int, int | None, int | None] | None:
    """The one slice of a layer's output that is added, where every reader is a slice."""
    index = layer
    while len(readers[index]) == 1 and nodes[readers[index][0]].kind in _PASSING:
        index = readers[index][0]
    slices = readers[index]
    if len(slices) < 2 or any(nodes[each].part is None for each in slices):
        return None
    added = [nodes[each].part for each in slices if _is_added(nodes, readers, each)]
    return added[0] if len(added) == 1 else None


def _is_added(nodes: Sequence[Node], readers: list[list[int]], index: int) -> bool:
    """Whether the next thing that happens to a tensor is a sum."""
    while len(readers[index]) == 1 and nodes[readers[index][0]].kind in _PASSING:
        index = readers[index][0]
    return any(nodes[reader].kind == "add" for reader in readers[index])
