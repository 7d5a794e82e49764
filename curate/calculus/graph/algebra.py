"""Tensors as sums of einsum terms: constants, sums, products, transposes."""

from __future__ import annotations

from curate.calculus.graph.node import Dim, Labels, Node, Number, number
from curate.calculus.graph.sums import Shape, total


def constant(value: Number, shape: Shape = ()) -> Node:
    """A tensor with this value everywhere."""
    return total(shape, [(number(value), (), tuple(range(len(shape))))])


def unit(dim: Dim) -> Node:
    """The unit matrix."""
    return total((dim, dim), [(1, (), (0, 0))])


def zero(shape: Shape) -> Node:
    """The tensor of zeros."""
    return total(shape, ())


def add(*nodes: Node) -> Node:
    """The sum of tensors of one shape."""
    return total(nodes[0].shape, (term for node in nodes for term in node.terms))


def scale(coefficient: Number, node: Node) -> Node:
    """A number times a tensor."""
    return total(node.shape, ((coefficient * c, f, out) for c, f, out in node.terms))


def einsum(shape: Shape, out: Labels, *factors: tuple[Node, Labels]) -> Node:
    """One contraction."""
    return total(shape, [(1, factors, out)])


def multiply(*nodes: Node) -> Node:
    """The elementwise product; scalars count for every element."""
    shape = max((node.shape for node in nodes), key=len)
    axes = tuple(range(len(shape)))
    return einsum(shape, axes, *((node, axes if node.order else ()) for node in nodes))


def broadcast(node: Node, shape: Shape) -> Node:
    """A tensor repeated along new leading axes."""
    axes = tuple(range(len(shape)))
    return einsum(shape, axes, (node, axes[len(shape) - node.order :]))


def transpose(node: Node) -> Node:
    """A tensor with its axes reversed."""
    axes = tuple(range(node.order))
    return einsum(node.shape[::-1], axes[::-1], (node, axes))


def constant_value(node: Node) -> Number | None:
    """The value of a tensor that is the same number everywhere, else None."""
    if node.kind == "sum":
        if not node.data:
            return 0
        if len(node.data) == 1 and not node.data[0].factors:
            out = node.data[0].out
            return node.data[0].coefficient if len(set(out)) == len(out) else None
    return None
