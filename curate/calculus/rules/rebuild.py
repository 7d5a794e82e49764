"""Rebuilding a graph with other leaves or other sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from curate.calculus.graph.node import Dim, Node, intern, walk
from curate.calculus.graph.sums import size, total
from curate.calculus.rules.determinants import determinant, logdet
from curate.calculus.rules.maps import apply, power
from curate.calculus.rules.matrices import inverse
from curate.calculus.rules.minors import minors
from curate.calculus.rules.stable import logsumexp


def rebuild(root: Node, leaf: Callable[[Node], Node], dims: Mapping[Dim, Dim]) -> Node:
    """The graph with every variable replaced by ``leaf(variable)`` and sizes renamed."""
    new: dict[Node, Node] = {}
    for node in walk(root):
        shape = tuple(dims.get(dim, dim) for dim in node.shape)
        if node.kind == "variable":
            new[node] = leaf(node)
        elif node.kind == "sum":
            new[node] = total(
                shape,
                (
                    (c, tuple((new[factor], labels) for factor, labels in factors), out)
                    for c, factors, out in node.data
                ),
            )
        elif node.kind == "size":
            new[node] = size(dims.get(node.data, node.data))
        else:
            new[node] = remake(node, tuple(new[operand] for operand in node.args))
    return new[root]


def remake(node: Node, operands: tuple[Node, ...]) -> Node:
    """An atom like ``node`` of other operands, by the constructor that simplifies."""
    (first, *others) = operands
    if node.kind == "power":
        return power(first, node.data)
    if node.kind == "map":
        return (
            intern("map", first.shape, operands, node.data) if others else apply(node.data, first)
        )
    if node.kind == "logsumexp":
        return logsumexp(first, node.data)
    if node.kind == "opaque":
        return intern("opaque", first.shape, operands)
    if node.kind == "logdet":
        return logdet(first, bool(node.data))
    if node.kind == "minors":
        return minors(first, node.data)
    if node.kind == "singular":
        shape = first.shape[:1] * node.data if isinstance(node.data, int) else first.shape
        return intern("singular", shape, operands, node.data)
    if node.kind == "largest":
        return intern("largest", first.shape[: first.order - node.data], operands, node.data)
    return {"inverse": inverse, "determinant": determinant}[node.kind](first)


def resized(variable: Node, dims: Mapping[Dim, Dim]) -> Node:
    """The variable with its sizes renamed."""
    shape = tuple(dims.get(dim, dim) for dim in variable.shape)
    return intern("variable", shape, data=variable.data)
