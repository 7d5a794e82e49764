"""Sums, means, norms and their like."""

from __future__ import annotations

from curate.calculus import algebra, maps, matrices, stable
from curate.calculus.elementwise import abs as absolute
from curate.calculus.errors import ShapeError
from curate.calculus.expression import Expression, as_expression
from curate.calculus.operators import axis_of, brief


def sum(u: Expression, axis: int | None = None) -> Expression:
    """The sum of all elements, or along one axis."""
    return as_expression(u).sum(axis)


def mean(u: Expression, axis: int | None = None) -> Expression:
    """The mean of all elements, or along one axis."""
    return as_expression(u).mean(axis)


def norm1(u: Expression) -> Expression:
    """The sum of absolute values."""
    return sum(absolute(u))


def norm2(u: Expression) -> Expression:
    """The root of the sum of squares (of a matrix: Frobenius); its derivative at 0 is 0."""
    u = as_expression(u)
    return u._with(maps.apply("root", sum(u * u).node))


def logsumexp(u: Expression, axis: int | None = None) -> Expression:
    """``log(sum(exp(u)))`` over all elements or along one axis, without overflow."""
    u = _needs_axes(u, "logsumexp")
    if axis is None:
        return u._with(stable.logsumexp(u.node, u.order))
    order = _moved_last(u, axis_of(u, axis, "logsumexp"))
    moved = algebra.einsum(tuple(u.shape[i] for i in order), order, (u.node, tuple(range(u.order))))
    return u._with(stable.logsumexp(moved, 1))


def softmax(u: Expression, axis: int = -1) -> Expression:
    """``exp(u) / sum(exp(u))`` along an axis, without overflow."""
    u = _needs_axes(u, "softmax")
    order = _moved_last(u, axis_of(u, axis, "softmax"))
    moved_shape = tuple(u.shape[i] for i in order)
    axes = tuple(range(u.order))
    moved = algebra.einsum(moved_shape, order, (u.node, axes))
    return u._with(algebra.einsum(u.shape, axes, (matrices.softmax(moved), order)))


def _moved_last(u: Expression, axis: int) -> tuple[int, ...]:
    return (*(i for i in range(u.order) if i != axis), axis)


def _needs_axes(u: Expression, name: str) -> Expression:
    u = as_expression(u)
    if not u.order:
        raise ShapeError(f"{name}({brief(u)}): needs a vector or matrix, not a scalar")
    return u
