"""Nodes: an atom, or a sum of einsum terms; equal nodes are one object (hash consing).

A unit tensor is never a node. ``delta_ij`` is the term without factors whose output labels are
``(i, i)``, and a tensor of ones the term without factors whose output label occurs nowhere else.
Labels that are not output are summed, as Einstein has it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

Number = int | Fraction | float
Dim = int | str
"""A size: known (int), or a symbol; ``x.0`` is axis 0 of the variable x."""
Labels = tuple[int, ...]


class Node:
    """One node of an expression graph.

    Attributes:
        kind: ``variable, sum, map, power, inverse, determinant, logdet, logsumexp, size, germ,
            opaque`` (opaque: one operand that products do not inline).
        shape: a size symbol per axis.
        args: the operands of an atom (a sum keeps them in its terms).
        data: what else tells the node from others; the terms of a sum.
        birth: running number, which makes canonical orders reproducible.
    """

    __slots__ = (
        "__weakref__", "args", "birth", "data", "kind", "nonnegative", "shape", "symmetric",
    )  # fmt: skip

    def __init__(
        self, kind: str, shape: tuple[Dim, ...], args: tuple[Node, ...], data: Any, birth: int
    ) -> None:
        self.kind, self.shape, self.args, self.data, self.birth = kind, shape, args, data, birth
        self.symmetric: bool | None = None
        self.nonnegative: bool | None = None

    @property
    def order(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of a sum; any other node is a sum of itself."""
        if self.kind == "sum":
            return self.data
        axes = tuple(range(self.order))
        return (Term(1, ((self, axes),), axes),)

    @property
    def operands(self) -> Iterator[Node]:
        """The nodes that this one reads, with repeats."""
        if self.kind == "sum":
            return (node for term in self.data for node, _ in term.factors)
        return iter(self.args)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.birth} {self.data!r} {self.args!r}>"


class Term(NamedTuple):
    """``coefficient * product of factors``, summed over the labels that ``out`` lacks."""

    coefficient: Number
    factors: tuple[tuple[Node, Labels], ...]
    out: Labels


_nodes: WeakValueDictionary[tuple, Node] = WeakValueDictionary()
_births = itertools.count()


def intern(
    kind: str, shape: tuple[Dim, ...], args: tuple[Node, ...] = (), data: Any = None
) -> Node:
    """The one node of this description."""
    key = (kind, shape, args, data)
    found = _nodes.get(key)
    if found is None:
        found = _nodes[key] = Node(kind, shape, args, data, next(_births))
    return found


def number(value: Any) -> Number:
    """The simplest exact form: an int, a fraction, or else a float."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else value
    if isinstance(value, int):
        return value
    value = float(value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def scaled(coefficient: Number, node: Node) -> Node:
    """A number other than 0 times a tensor."""
    terms = tuple(Term(number(coefficient * c), f, out) for c, f, out in node.terms)
    if len(terms) == 1 and terms[0].coefficient == 1 and len(terms[0].factors) == 1:
        inner, labels = terms[0].factors[0]
        if labels == terms[0].out and len(set(labels)) == len(labels):
            return inner
    return intern("sum", node.shape, data=terms)


def walk(*roots: Node) -> list[Node]:
    """Every node below the roots once, operands first."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((operand, False) for operand in node.operands if operand not in seen)
    return order


def variables(*roots: Node) -> dict[str, Node]:
    """The variables that the roots read, by name."""
    return {node.data[0]: node for node in walk(*roots) if node.kind == "variable"}
