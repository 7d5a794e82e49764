"""Patterns: constant tensors of 0 and 1 that cut axes, join them and mask matrices.

A slice, an index, a stack, a flattened matrix and a triangle are products with one, so that their
derivatives are products, too. A program forms a pattern only where it cannot cut, join or place
the axes of what is multiplied with it (compile/lowering/patterns.py).
"""

from __future__ import annotations

from curate.calculus.graph.algebra import einsum
from curate.calculus.graph.node import Dim, Node, intern
from curate.calculus.graph.sizes import added, multiplied


def index(place: Dim, dim: Dim) -> Node:
    """``e[b] = (b == place)``, of shape (dim,)."""
    return intern("pattern", (dim,), data=("index", place))


def select(start: Dim, length: Dim, dim: Dim) -> Node:
    """``E[a, b] = (b == start + a)``, of shape (length, dim)."""
    return intern("pattern", (length, dim), data=("select", start))


def fuse(one: Dim, two: Dim) -> Node:
    """``R[p, a, b] = (p == a * two + b)``: two axes as one, the last running fastest."""
    return intern("pattern", (multiplied(one, two), one, two), data=("fuse", 0))


def lower(rows: Dim, columns: Dim, diagonal: int) -> Node:
    """``L[i, j] = (j <= i + diagonal)``."""
    return intern("pattern", (rows, columns), data=("lower", diagonal))


def flattened(u: Node) -> Node:
    """All axes as one, the last running fastest."""
    while u.order > 1:
        axes = tuple(range(u.order))
        joined = fuse(*u.shape[-2:])
        shape = (*u.shape[:-2], joined.shape[0])
        u = einsum(shape, (*axes[:-2], u.order), (joined, (u.order, *axes[-2:])), (u, axes))
    return u


def unflattened(u: Node, shape: tuple[Dim, ...]) -> Node:
    """The first axis as axes of these sizes, the last running fastest; the others stay."""
    for place, dim in enumerate(shape[:-1]):
        rest = multiplied(*shape[place + 1 :])
        axes = tuple(range(u.order))
        new = (u.order, u.order + 1)
        split = fuse(dim, rest)
        out = (*axes[:place], *new, *axes[place + 1 :])
        sizes = (*u.shape[:place], dim, rest, *u.shape[place + 1 :])
        u = einsum(sizes, out, (split, (axes[place], *new)), (u, axes))
    return u


def placed(u: Node, start: Dim, dim: Dim) -> Node:
    """The elements along the first axis from ``start`` on, of a first axis of this size; else 0."""
    axes = tuple(range(1, u.order + 1))
    cut = select(start, u.shape[0], dim)
    return einsum((dim, *u.shape[1:]), (0, *axes[1:]), (cut, (1, 0)), (u, axes))


def taken(u: Node, axis: int, place: Dim) -> Node:
    """One element along an axis, which goes."""
    axes = tuple(range(u.order))
    kept = axes[:axis] + axes[axis + 1 :]
    shape = tuple(u.shape[i] for i in kept)
    return einsum(shape, kept, (index(place, u.shape[axis]), (axis,)), (u, axes))


def sliced(u: Node, axis: int, start: Dim, stop: Dim) -> Node:
    """The elements from ``start`` to before ``stop`` along an axis."""
    length = added(stop, multiplied(-1, start))
    if start == 0 and length == u.shape[axis]:
        return u
    axes = tuple(range(u.order))
    out = (*axes[:axis], u.order, *axes[axis + 1 :])
    shape = (*u.shape[:axis], length, *u.shape[axis + 1 :])
    cut = select(start, length, u.shape[axis])
    return einsum(shape, out, (cut, (u.order, axis)), (u, axes))
