"""Determinants and their logarithms."""

from __future__ import annotations

from curate.calculus.graph.algebra import scale
from curate.calculus.graph.node import Node, intern


def transposed_atom(node: Node) -> Node | None:
    """A, where the node is the transpose of the atom or variable A."""
    if node.kind == "sum" and len(node.data) == 1:
        ((coefficient, factors, out),) = node.data
        if coefficient == 1 and len(factors) == 1 and factors[0][1] == (1, 0) and out == (0, 1):
            return factors[0][0]
    return None


def determinant(a: Node) -> Node:
    """The determinant of a square matrix."""
    original = transposed_atom(a)
    return intern("determinant", (), (a if original is None else original,))


def logdet(a: Node, signed: bool = False) -> Node:
    """``log |det A|``; signed: ``log det A``, which is NaN where the determinant is negative."""
    original = transposed_atom(a)
    if original is not None:
        return logdet(original, signed)
    if a.kind == "inverse":
        return scale(-1, logdet(a.args[0], signed))
    return intern("logdet", (), (a,), signed or None)
