"""Derivatives in Einstein notation (Laue, Mitterreiter & Giesen, NeurIPS 2018, section 3).

The derivative of a node by a variable has the node's axes first, then the variable's. Forward and
reverse mode are the same terms here; the order of contraction is chosen when sizes are known.
"""

from __future__ import annotations

from functools import lru_cache

from curate.calculus.graph.algebra import einsum, scale, zero
from curate.calculus.graph.node import Node, walk
from curate.calculus.graph.sums import total
from curate.calculus.rules.maps import partials
from curate.calculus.rules.matrices import inverse, softmax_of
from curate.calculus.rules.minors import minors
from curate.calculus.rules.reductions import of_choice, others, peaks
from curate.calculus.rules.spectral import of_pinverse, polar, spectral


def derivative(node: Node, variable: Node) -> Node:
    """The derivative of ``node`` by ``variable``, which may be any node below it."""
    for below in walk(node):  # operands first, so that no recursion is deep
        result = _derivative(below, variable)
    return result


@lru_cache(maxsize=1 << 14)
def _derivative(node: Node, variable: Node) -> Node:
    shape = node.shape + variable.shape
    axes = tuple(range(node.order))
    new = tuple(range(node.order, len(shape)))
    if node is variable:
        return total(shape, [(1, (), axes + axes)])
    if node.kind in ("variable", "size", "largest", "pattern"):
        return zero(shape)
    if node.kind == "sum":
        return _of_sum(node, variable)
    inner = [_derivative(operand, variable) for operand in node.args]
    if not any(part.terms for part in inner):
        return zero(shape)
    if node.data == "where":
        return of_choice(node, inner[1], inner[2], variable)
    if node.kind in ("map", "power", "germ"):
        parts = [
            (1, ((slope, axes), (part, axes + new)), axes + new)
            for slope, part in zip(partials(node), inner, strict=True)
            if part.terms
        ]
        return total(shape, parts)
    (part,) = inner
    if node.kind == "opaque":
        return part
    if node.kind == "logsumexp":
        every = tuple(range(node.order + node.data))
        new = tuple(range(len(every), len(every) + variable.order))
        return einsum(shape, axes + new, (softmax_of(node), every), (part, every + new))
    if node.kind in ("maximum", "others"):
        return _of_reduction(node, part, variable)
    if node.kind == "peaks":
        return zero(shape)
    if node.kind == "pinverse":
        return of_pinverse(node, part, variable)
    if node.kind in ("spectral", "nuclear", "polar"):
        every = tuple(range(node.order + 2))
        new = tuple(range(len(every), len(every) + variable.order))
        return einsum(shape, axes + new, (_next(node), every), (part, every[-2:] + new))
    if node.kind in ("determinant", "minors"):
        every = tuple(range(node.order + 2))
        new = tuple(range(len(every), len(every) + variable.order))
        more = minors(node.args[0], (node.data or 0) + 1)
        return einsum(shape, axes + new, (more, every), (part, every[-2:] + new))
    i, j, k, m = range(4)
    new = tuple(range(4, 4 + variable.order))
    above = inverse(node.args[0])
    if node.kind == "inverse":
        product = einsum(
            shape, (i, j, *new), (above, (i, k)), (part, (k, m, *new)), (above, (m, j))
        )
        return scale(-1, product)
    return einsum(shape, new, (above, (j, i)), (part, (i, j, *new)))


def _next(node: Node) -> Node:
    """The derivative of a spectral function of its matrix."""
    (a,) = node.args
    if node.kind == "spectral":
        name, order = node.data
        return spectral(a, name, order + 1)
    return polar(a, (node.data or 0) + 1)


def _of_reduction(node: Node, part: Node, variable: Node) -> Node:
    """The derivative of a maximum, or of products of all elements but some."""
    (u,) = node.args
    axes, shape = tuple(range(node.order)), node.shape + variable.shape
    if node.kind == "maximum":
        slope, inner = peaks(node), tuple(range(u.order))
        every = inner
    else:
        slope = others(u, node.data + 1)
        every = (*axes, node.order)
        inner = (*axes[: u.order - 1], node.order)
    new = tuple(range(len(every), len(every) + variable.order))
    return einsum(shape, axes + new, (slope, every), (part, inner + new))


def _of_sum(node: Node, variable: Node) -> Node:
    terms = []
    for coefficient, factors, out in node.terms:
        start = 1 + max([*out, *(label for _, labels in factors for label in labels), -1])
        new = tuple(range(start, start + variable.order))
        for k, (factor, labels) in enumerate(factors):
            part = _derivative(factor, variable)
            if part.terms:
                rest = factors[:k] + factors[k + 1 :]
                terms.append((coefficient, (*rest, (part, labels + new)), out + new))
    return total(node.shape + variable.shape, terms)
