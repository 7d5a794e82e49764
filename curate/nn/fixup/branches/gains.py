"""What activations and gates keep of a signal, and the gains that make up for it."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from curate.nn.fixup.branches.graph import Node, readers_of

_THROUGH = ("pass", "norm", "bias", "scale")
_LIMITS = 0.5, 3.0


def layer_gains(
    nodes: Sequence[Node], modules: dict[str, Any], gate_products: Sequence[int]
) -> dict[str, float]:
    """By name, what to multiply He's standard deviation by so that signals keep their size.

    He's is right before a ReLU, which halves the mean square of a normal input. Another activation
    f keeps E[f(z)^2], nothing at all keeps 1, and a gate before the layer its value at 0 squared.

    Args:
        nodes: a graph.
        modules: by name.
        gate_products: positions of the products of gates in the graph.
    """
    readers = readers_of(nodes)
    gated = {index: _value_at_zero(nodes, index) for index in gate_products}
    gains: dict[str, float] = {}
    for index, node in enumerate(nodes):
        if node.kind != "layer" or not node.inputs:
            continue
        kept = _kept(nodes, readers, index)
        gain = math.sqrt(0.5 / kept)
        origin = node.inputs[0]
        while nodes[origin].kind in _THROUGH and nodes[origin].inputs:
            origin = nodes[origin].inputs[0]
        gain /= gated.get(origin, 1.0)
        gain = min(max(gain, _LIMITS[0]), _LIMITS[1])
        gains[str(node.name)] = 1.0 if abs(gain - 1) < 1e-3 else gain
    return gains


def second_moment(function: Callable[[Tensor], Tensor]) -> float | None:
    """E[f(z)^2] for a standard normal z; None for what is no function of single numbers.

    Example:
        >>> round(second_moment(torch.relu), 4)
        0.5
    """
    z = torch.linspace(-8, 8, 3201)
    try:
        with torch.no_grad():
            values = _callable(function)(z.clone())
    except Exception:  # a function of more than its input
        return None
    if values.shape != z.shape or values.is_meta or not bool(values.isfinite().all()):
        return None
    weight = torch.exp(-z.square() / 2).double()
    moment = float((values.double().square() * weight).sum() / weight.sum())
    return moment if 0.02 <= moment <= 4.0 else None


def linear_layers(nodes: Sequence[Node]) -> set[str]:
    """Layers behind which no activation comes."""
    readers = readers_of(nodes)
    return {
        str(node.name)
        for index, node in enumerate(nodes)
        if node.kind == "layer" and _kept(nodes, readers, index) == 1.0
    }


def stream_embeddings(nodes: Sequence[Node]) -> set[str]:
    """Embeddings whose rows a layer or block reads, perhaps added to others."""
    origins: dict[int, set[str]] = {}
    found: set[str] = set()
    for index, node in enumerate(nodes):
        coming = set().union(*(origins.get(source, set()) for source in node.inputs))
        if node.kind == "embedding":
            origins[index] = {str(node.name)}
        elif node.kind in ("layer", "block"):
            found |= coming
        elif node.kind != "attention":  # a bias of attention is no stream
            origins[index] = coming
    return found


def _kept(nodes: Sequence[Node], readers: list[list[int]], layer: int) -> float:
    """The part of the mean square that the activation behind a layer keeps; 1 where none is."""
    stack = [layer]
    while stack:
        index = stack.pop()
        for reader in readers[index]:
            if nodes[reader].kind in _THROUGH:
                stack.append(reader)
            if nodes[reader].kind != "act" or nodes[reader].function is None:
                continue
            function = nodes[reader].function
            gates = [i for i in readers[reader] if nodes[i].kind == "mul"]
            if any(index in nodes[i].inputs for i in gates):  # x sigmoid(x)
                inner = _callable(function)
                moment = second_moment(lambda z, inner=inner: z * inner(z))  # type: ignore[misc]
            else:
                moment = second_moment(function)
            if moment is not None:
                return moment
    return 1.0


def _value_at_zero(nodes: Sequence[Node], product: int) -> float:
    """What a gate multiplies by when the layers behind it give 0; 1 where it is not known."""
    for source in nodes[product].inputs:
        while nodes[source].kind == "pass" and nodes[source].inputs:
            source = nodes[source].inputs[0]
        if nodes[source].kind == "act":
            try:
                with torch.no_grad():
                    value = float(_callable(nodes[source].function)(torch.zeros(1)))
            except Exception:  # a function of more than its input
                continue
            if 0.1 <= value <= 1.0:
                return value
    return 1.0


def _callable(function: Any) -> Callable[[Tensor], Tensor]:
    if isinstance(function, nn.Module):
        return copy.deepcopy(function).cpu().float().eval()
    return getattr(torch.Tensor, function) if isinstance(function, str) else function
