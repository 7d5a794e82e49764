"""Atoms of matrices (inverse, determinant, its logarithm) and logsumexp."""

from __future__ import annotations

from curate.calculus.algebra import einsum, scale, total, transpose
from curate.calculus.maps import power
from curate.calculus.node import Node, Term, intern


def _transposed_atom(node: Node) -> Node | None:
    """A, where the node is the transpose of the atom or variable A."""
    if node.kind == "sum" and len(node.data) == 1:
        ((coefficient, factors, out),) = node.data
        if coefficient == 1 and len(factors) == 1 and factors[0][1] == (1, 0) and out == (0, 1):
            return factors[0][0]
    return None


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
    original = _transposed_atom(a)
    if original is not None:
        return transpose(inverse(original))
    term = _diagonal(a)
    if term is not None:
        vector = total(a.shape[:1], [(term.coefficient, term.factors, term.out[:1])])
        return einsum(a.shape, (0, 0), (power(vector, -1), (0,)))
    return intern("inverse", a.shape, (a,))


def determinant(a: Node) -> Node:
    """The determinant of a square matrix."""
    original = _transposed_atom(a)
    return intern("determinant", (), (a if original is None else original,))


def logdet(a: Node) -> Node:
    """``log |det A|``."""
    original = _transposed_atom(a)
    if original is not None:
        return logdet(original)
    if a.kind == "inverse":
        return scale(-1, logdet(a.args[0]))
    return intern("logdet", (), (a,))


def logsumexp(u: Node, axes: int) -> Node:
    """``log(sum(exp(u)))`` over the last ``axes`` axes."""
    return intern("logsumexp", u.shape[: u.order - axes], (u,), axes)


def softmax(u: Node) -> Node:
    """``exp(u - logsumexp(u))`` over the last axis."""
    return softmax_of(logsumexp(u, 1))


def softmax_of(node: Node) -> Node:
    """The derivative of a logsumexp by its operand."""
    from curate.calculus.maps import apply

    u = node.args[0]
    axes = tuple(range(u.order))
    lead = axes[: node.order]
    return apply("exp", total(u.shape, [(1, ((u, axes),), axes), (-1, ((node, lead),), axes)]))
