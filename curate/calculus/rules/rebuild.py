"""Rebuilding a graph with other leaves or other sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from curate.calculus.graph.node import Dim, Node, intern, walk
from curate.calculus.graph.sizes import renamed
from curate.calculus.graph.sums import size, total
from curate.calculus.rules.determinants import determinant, logdet
from curate.calculus.rules.maps import apply, power
from curate.calculus.rules.matrices import inverse
from curate.calculus.rules.minors import minors
from curate.calculus.rules.reductions import others, where
from curate.calculus.rules.spectral import pinverse, polar, spectral
from curate.calculus.rules.stable import logsumexp


def rebuild(root: Node, leaf: Callable[[Node], Node], dims: Mapping[Dim, Dim]) -> Node:
    """The graph with every variable replaced by ``leaf(variable)`` and sizes renamed."""
    new: dict[Node, Node] = {}
    for node in walk(root):
        shape = tuple(renamed(dim, dims) for dim in node.shape)
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
        elif node.kind == "pattern":
            kind, start = node.data
            new[node] = intern("pattern", shape, data=(kind, renamed(start, dims)))
        elif node.kind == "size":
            new[node] = size(renamed(node.data, dims))
        else:
            new[node] = remake(node, tuple(new[operand] for operand in node.args))
    return new[root]


def reworked(root: Node, change: Callable[[Node], Node]) -> Node:
    """The graph with ``change(node)`` for every node, operands first."""
    new: dict[Node, Node] = {}
    for node in walk(root):
        if all(new[operand] is operand for operand in node.operands):
            made = node
        elif node.kind == "sum":
            terms = (
                (c, tuple((new[f], i) for f, i in factors), out) for c, factors, out in node.data
            )
            made = total(node.shape, terms)
        else:
            made = remake(node, tuple(new[operand] for operand in node.args))
        new[node] = change(made)
    return new[root]


def remake(node: Node, operands: tuple[Node, ...]) -> Node:
    """An atom like ``node`` of other operands, by the constructor that simplifies."""
    (first, *more) = operands
    if node.kind == "power":
        return power(first, node.data)
    if node.kind == "map":
        if node.data == "where":
            return where(*operands)
        return intern("map", first.shape, operands, node.data) if more else apply(node.data, first)
    if node.kind == "logsumexp":
        return logsumexp(first, node.data)
    if node.kind in ("opaque", "germ"):
        return intern(node.kind, first.shape, operands, node.data)
    if node.kind == "logdet":
        return logdet(first, bool(node.data))
    if node.kind == "minors":
        return minors(first, node.data)
    if node.kind == "singular":
        shape = first.shape[:1] * node.data if isinstance(node.data, int) else first.shape
        return intern("singular", shape, operands, node.data)
    if node.kind in ("largest", "maximum"):
        return intern(node.kind, first.shape[: first.order - node.data], operands, node.data)
    if node.kind in ("eigen", "peaks"):
        return intern(node.kind, first.shape, operands, node.data)
    if node.kind == "others":
        return others(first, node.data)
    if node.kind == "differences":
        return intern(node.kind, first.shape[:1] * (node.data[1] + 1), operands, node.data)
    if node.kind == "spectral":
        return spectral(first, *node.data)
    if node.kind == "polar":
        return polar(first, node.data)
    if node.kind == "nuclear":
        return intern("nuclear", (), operands)
    return {"pinverse": pinverse, "inverse": inverse, "determinant": determinant}[node.kind](first)


def resized(variable: Node, dims: Mapping[Dim, Dim]) -> Node:
    """The variable with its sizes renamed."""
    shape = tuple(renamed(dim, dims) for dim in variable.shape)
    return intern("variable", shape, data=variable.data)
