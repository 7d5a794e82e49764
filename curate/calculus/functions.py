"""Functions of expressions, for Python and for the grammar alike."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from fractions import Fraction

from curate.calculus import algebra, maps, matrices
from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.expression import Expression, Operand
from curate.calculus.node import Dim
from curate.calculus.operators import (
    brief,
    declare,
    expression,
    fresh_size,
    matmul,
    same_sizes,
)
from curate.calculus.sizes import shown


def _elementwise(name: str) -> Callable[[Operand], Expression]:
    def function(u: Operand) -> Expression:
        u = expression(u)
        return u._with(maps.apply(name, u.node))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{name}`` of every element."
    return function


sin, cos, tan, arcsin, arccos, arctan, tanh, exp, log, abs, sign, relu, sigmoid, softplus, erf = (
    _elementwise(name)
    for name in (
        [
            "sin",
            "cos",
            "tan",
            "arcsin",
            "arccos",
            "arctan",
            "tanh",
            "exp",
            "log",
            "abs",
            "sign",
            "relu",
            "sigmoid",
            "softplus",
            "erf",
        ]
    )
)


def sqrt(u: Operand) -> Expression:
    """The square root of every element."""
    u = expression(u)
    return u._with(maps.power(u.node, Fraction(1, 2)))


def scalar(name: str) -> Expression:
    """A variable without axes."""
    return declare(name, ())


def vector(name: str | int | float | Expression, size: Dim | None = None) -> Expression:
    """A variable with one axis, or (given a number or scalar) a vector with that value everywhere.

    Args:
        name: of the variable; or the value.
        size: a number, or a symbol shared by the axes that are equally long.
    """
    if isinstance(name, str):
        return declare(name, (f"{name}.0" if size is None else size,))
    return _filled(name, (fresh_size() if size is None else size,))


def matrix(
    name: str | int | float | Expression,
    rows: Dim | None = None,
    columns: Dim | None = None,
    *,
    symmetric: bool = False,
    positive_definite: bool = False,
    diagonal: bool = False,
) -> Expression:
    """A variable with two axes, or (given a number or scalar) a matrix with that value everywhere.

    Args:
        name: of the variable; or the value.
        rows, columns: numbers, or symbols shared by the axes that are equally long.
        symmetric, positive_definite, diagonal: what is known of the values. Derivatives treat
            the elements as independent all the same, as JAX does.
    """
    if not isinstance(name, str):
        sizes = [fresh_size() if size is None else size for size in (rows, columns)]
        return _filled(name, tuple(sizes))
    structure = (
        "diagonal"
        if diagonal
        else "definite"
        if positive_definite
        else "symmetric"
        if symmetric
        else None
    )
    if structure and rows is None:
        rows = f"{name}.0" if columns is None else columns
    first = f"{name}.0" if rows is None else rows
    second = (first if structure else f"{name}.1") if columns is None else columns
    if structure and first != second:
        raise ShapeError(f"matrix {name}: {structure}, but {first} rows and {second} columns")
    return declare(name, (first, second), structure)


def tensor(name: str, *sizes: Dim, order: int | None = None) -> Expression:
    """A variable with any number of axes: ``tensor("T", "i", "j", "k")`` or ``order=3``."""
    if order is None and len(sizes) == 1 and isinstance(sizes[0], int):
        raise CalculusError(
            f"tensor {name}: {sizes[0]} may be a size or an order; write order={sizes[0]} or "
            f"vector({name!r}, {sizes[0]})"
        )
    return declare(name, sizes or tuple(f"{name}.{axis}" for axis in range(order or 0)))


def _filled(value: int | float | Expression, sizes: tuple[Dim, ...]) -> Expression:
    value = expression(value)
    if value.order:
        raise ShapeError(f"{brief(value)} has the shape {shown(value.shape)}; a scalar is needed")
    return value._with(algebra.broadcast(value.node, sizes))


def eye(size: Dim | None = None) -> Expression:
    """The unit matrix; its size follows from what it is combined with."""
    return Expression(algebra.unit(fresh_size() if size is None else size), {})


def sum(u: Expression, axis: int | None = None) -> Expression:
    """The sum of all elements, or along one axis."""
    u = expression(u)
    axes = tuple(range(u.order))
    if axis is None:
        return u._with(algebra.einsum((), (), (u.node, axes)))
    gone = _axis(u, axis, "sum")
    kept = tuple(i for i in axes if i != gone)
    return u._with(algebra.einsum(tuple(u.shape[i] for i in kept), kept, (u.node, axes)))


def mean(u: Expression, axis: int | None = None) -> Expression:
    """The mean of all elements, or along one axis."""
    u = expression(u)
    result = sum(u, axis)
    dims = u.shape if axis is None else (u.shape[_axis(u, axis, "mean")],)
    counts = [(maps.power(algebra.size(dim), -1), ()) for dim in dims]
    axes = tuple(range(result.order))
    return result._with(algebra.einsum(result.shape, axes, (result.node, axes), *counts))


def _axis(u: Expression, axis: int, name: str) -> int:
    if not isinstance(axis, int) or not -u.order <= axis < u.order:
        raise CalculusError(
            f"{name}: axis {axis!r} of an operand with the shape {shown(u.shape)}; it has the axes "
            f"{list(range(u.order))}"
        )
    return axis % u.order


def _needs(u: Expression, orders: tuple[int, ...], name: str) -> Expression:
    u = expression(u)
    if u.order not in orders:
        kinds = " or ".join(("a scalar", "a vector", "a matrix")[order] for order in orders)
        raise ShapeError(
            f"{name}({brief(u)}): needs {kinds}, but the operand has the shape {shown(u.shape)}"
        )
    return u


def _square(u: Expression, name: str) -> Expression:
    u = _needs(u, (2,), name)
    (u,), _ = same_sizes((u,), [(u.shape[0], u.shape[1])], f"{name}({brief(u)}): a square matrix")
    return u


def tr(u: Expression) -> Expression:
    """The trace of a square matrix."""
    u = _square(u, "tr")
    return u._with(algebra.einsum((), (), (u.node, (0, 0))))


def inv(u: Expression) -> Expression:
    """The inverse of a square matrix; by Cholesky where it is positive definite."""
    u = _square(u, "inv")
    return u._with(matrices.inverse(u.node))


def det(u: Expression) -> Expression:
    """The determinant of a square matrix."""
    u = _square(u, "det")
    return u._with(matrices.determinant(u.node))


def logdet(u: Expression) -> Expression:
    """The logarithm of the absolute determinant; by Cholesky where positive definite."""
    u = _square(u, "logdet")
    return u._with(matrices.logdet(u.node))


def solve(a: Expression, b: Expression) -> Expression:
    """``inv(a) @ b``."""
    return matmul(inv(a), b, f"solve({brief(a)}, {brief(expression(b))})")


def diag(u: Expression) -> Expression:
    """The diagonal of a matrix, or the diagonal matrix of a vector."""
    u = expression(u)
    if u.order == 1:
        dim = u.shape[0]
        return u._with(algebra.einsum((dim, dim), (0, 0), (u.node, (0,))))
    u = _square(u, "diag")
    return u._with(algebra.einsum(u.shape[:1], (0,), (u.node, (0, 0))))


def norm1(u: Expression) -> Expression:
    """The sum of absolute values."""
    return sum(abs(u))


def norm2(u: Expression) -> Expression:
    """The root of the sum of squares; of a matrix, the Frobenius norm."""
    u = expression(u)
    return sqrt(sum(u * u))


def logsumexp(u: Expression, axis: int | None = None) -> Expression:
    """``log(sum(exp(u)))`` over all elements or along one axis, without overflow."""
    u = _needs_axes(u, "logsumexp")
    if axis is None:
        return u._with(matrices.logsumexp(u.node, u.order))
    order = _moved_last(u, _axis(u, axis, "logsumexp"))
    moved = algebra.einsum(tuple(u.shape[i] for i in order), order, (u.node, tuple(range(u.order))))
    return u._with(matrices.logsumexp(moved, 1))


def softmax(u: Expression, axis: int = -1) -> Expression:
    """``exp(u) / sum(exp(u))`` along an axis, without overflow."""
    u = _needs_axes(u, "softmax")
    order = _moved_last(u, _axis(u, axis, "softmax"))
    moved_shape = tuple(u.shape[i] for i in order)
    axes = tuple(range(u.order))
    moved = algebra.einsum(moved_shape, order, (u.node, axes))
    return u._with(algebra.einsum(u.shape, axes, (matrices.softmax(moved), order)))


def _moved_last(u: Expression, axis: int) -> tuple[int, ...]:
    return (*(i for i in range(u.order) if i != axis), axis)


def _needs_axes(u: Expression, name: str) -> Expression:
    u = expression(u)
    if not u.order:
        raise ShapeError(f"{name}({brief(u)}): needs a vector or matrix, not a scalar")
    return u


def einsum(spec: str, *operands: Expression) -> Expression:
    """A contraction as ``numpy.einsum`` spells it, of expressions.

    A repeated output label is a unit tensor (``"i->ii"`` is a diagonal matrix); without ``->``
    the output is, as in numpy, every label that occurs once, in alphabetical order.

    Raises:
        CalculusError: the spec does not fit the operands.
    """
    left, arrow, right = spec.replace(" ", "").partition("->")
    labels = left.split(",") if operands else []
    nodes = [expression(operand) for operand in operands]
    if len(labels) != len(nodes):
        raise CalculusError(f"einsum {spec!r}: {len(labels)} operands named, {len(nodes)} given")
    pairs: list[tuple[Dim, Dim]] = []
    first: dict[str, Dim] = {}
    for names, node in zip(labels, nodes, strict=True):
        if len(names) != node.order:
            raise ShapeError(
                f"einsum {spec!r}: {names!r} names {len(names)} axes, but {brief(node)} has the "
                f"shape {shown(node.shape)}"
            )
        for name, dim in zip(names, node.shape, strict=True):
            pairs.append((first.setdefault(name, dim), dim))
    out = right if arrow else "".join(sorted(i for i in first if left.count(i) == 1))
    if missing := set(out) - set(first):
        raise CalculusError(f"einsum {spec!r}: {sorted(missing)} is in no operand")
    nodes, _ = same_sizes(tuple(nodes), pairs, f"einsum {spec!r}")
    number_of = {name: k for k, name in enumerate(first)}
    dims = {
        name: dim
        for names, node in zip(labels, nodes, strict=True)
        for name, dim in zip(names, node.shape, strict=True)
    }
    factors = [
        (node.node, tuple(number_of[name] for name in names))
        for names, node in zip(labels, nodes, strict=True)
    ]
    shape = tuple(dims[name] for name in out)
    return nodes[0]._with(algebra.einsum(shape, tuple(number_of[name] for name in out), *factors))


def matrix_power(u: Expression, exponent: int) -> Expression:
    """An integer power of a square matrix."""
    u = _square(u, "matrix_power")
    base = inv(u) if exponent < 0 else u
    if exponent == 0:
        return u._with(algebra.unit(u.shape[0]))
    return functools.reduce(matmul, [base] * builtins.abs(exponent))
