"""Largest elements, products of all elements, choices: their nodes and derivatives."""

from __future__ import annotations

from curate.calculus.graph.algebra import constant, constant_value, einsum, zero
from curate.calculus.graph.node import Node, intern
from curate.calculus.graph.sums import total


def maximum(u: Node, axes: int) -> Node:
    """The largest element over the last axes."""
    return intern("maximum", u.shape[: u.order - axes], (u,), axes)


def peaks(node: Node) -> Node:
    """The derivative of a maximum by its operand: 1 at the largest, shared where several are."""
    (u,) = node.args
    return intern("peaks", u.shape, (u,), node.data)


def others(u: Node, order: int) -> Node:
    """The derivative of this order of the product along the last axis: products of the others.

    Its axes after the leading ones are the places that are left out; it is 0 where two agree.
    """
    return intern("others", u.shape[:-1] + u.shape[-1:] * order, (u,), order)


def where(condition: Node, yes: Node, no: Node) -> Node:
    """``yes`` where the condition is not 0, else ``no``; all of one shape."""
    value = constant_value(condition)
    if value is not None:
        return yes if value else no
    return intern("map", yes.shape, (condition, yes, no), "where")


def of_choice(node: Node, yes: Node, no: Node, variable: Node) -> Node:
    """The derivative of a choice, given those of its branches.

    What only depends on the element goes into the branch, so that an infinite slope of the branch
    that is not taken stays out (0 times infinity is NaN).
    """
    condition = node.args[0]
    shape = node.shape + variable.shape
    nothing = zero(node.shape)
    terms = []
    for part, taken in ((yes, True), (no, False)):
        for c, factors, out in part.terms:
            axes = out[: node.order]
            own = [f for f in factors if set(f[1]) <= set(axes)]
            if len(set(axes)) < len(axes):
                own = []
            inside = einsum(node.shape, axes, *own) if own else constant(1, node.shape)
            branches = (inside, nothing) if taken else (nothing, inside)
            rest = tuple(f for f in factors if f not in own)
            terms.append((c, (*rest, (where(condition, *branches), axes)), out))
    return total(shape, terms)
