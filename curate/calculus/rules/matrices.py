"""Inverses, and softmax."""

from __future__ import annotations

from curate.calculus.graph.algebra import einsum, transpose
from curate.calculus.graph.node import Node, Term, intern
from curate.calculus.graph.sums import total
from curate.calculus.rules.determinants import transposed_atom
from curate.calculus.rules.maps import apply, power
from curate.calculus.rules.stable import logsumexp


def _diagonal(node: Node) -> Term | None:
    """The term, where the node is a diagonal matrix ``diag(v)`` given as one term."""
    if node.kind == "sum" and len(node.data) == 1 and len(set(node.data[0].out)) == 1:
        term = node.data[0]
        if all(set(labels) <= set(term.out) for _, labels in term.factors):
            return term
    return None


def inverse(a: Node) -> Node:
    """The inverse of a square matrix."""
    if a.kind == "inverse":
        return a.args[0]
    original = transposed_atom(a)
    if original is not None:
        return transpose(inverse(original))
    term = _diagonal(a)
    if term is not None:
        vector = total(a.shape[:1], [(term.coefficient, term.factors, term.out[:1])])
        return einsum(a.shape, (0, 0), (power(vector, -1), (0,)))
    return intern("inverse", a.shape, (a,))


def softmax(u: Node) -> Node:
    """``exp(u - logsumexp(u))`` over the last axis."""
    return softmax_of(logsumexp(u, 1))


def softmax_of(node: Node) -> Node:
    """The derivative of a logsumexp by its operand."""
    u = node.args[0]
    axes = tuple(range(u.order))
    lead = axes[: node.order]
    return apply("exp", total(u.shape, [(1, ((u, axes),), axes), (-1, ((node, lead),), axes)]))
