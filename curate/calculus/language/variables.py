"""Declaring variables, and constant vectors and matrices."""

from __future__ import annotations

from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.expression import Expression, as_expression
from curate.calculus.graph import algebra
from curate.calculus.graph.node import Dim
from curate.calculus.graph.sizes import shown
from curate.calculus.operators import brief, declared, fresh_size


def scalar(name: str) -> Expression:
    """A variable without axes."""
    return _declare(name, ())


def vector(name: str | int | float | Expression, size: Dim | None = None) -> Expression:
    """A variable with one axis, or (given a number or scalar) a vector with that value everywhere.

    Args:
        name: of the variable; or the value.
        size: a number, or a symbol shared by the axes that are equally long.
    """
    if isinstance(name, str):
        return _declare(name, (f"{name}.0" if size is None else size,))
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
    return _declare(name, (first, second), structure)


def tensor(name: str, *sizes: Dim, order: int | None = None) -> Expression:
    """A variable with any number of axes: ``tensor("T", "i", "j", "k")`` or ``order=3``."""
    if order is None and len(sizes) == 1 and isinstance(sizes[0], int):
        raise CalculusError(
            f"tensor {name}: {sizes[0]} may be a size or an order; write order={sizes[0]} or "
            f"vector({name!r}, {sizes[0]})"
        )
    return _declare(name, sizes or tuple(f"{name}.{axis}" for axis in range(order or 0)))


def _filled(value: int | float | Expression, sizes: tuple[Dim, ...]) -> Expression:
    value = as_expression(value)
    if value.order:
        raise ShapeError(f"{brief(value)} has the shape {shown(value.shape)}; a scalar is needed")
    return value.with_node(algebra.broadcast(value.node, sizes))


def eye(size: Dim | None = None) -> Expression:
    """The unit matrix; its size follows from what it is combined with."""
    return Expression(algebra.unit(fresh_size() if size is None else size), {})


def _declare(name: str, sizes: tuple[Dim, ...], structure: str | None = None) -> Expression:
    variable = declared(name, sizes, structure)
    return Expression(variable, {name: variable})
