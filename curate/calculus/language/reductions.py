"""Largest and smallest elements, products, variances, choices; functions of whole matrices."""

from __future__ import annotations

from fractions import Fraction

from curate.calculus.errors import ShapeError
from curate.calculus.expression import Expression, Operand, as_expression
from curate.calculus.graph import algebra, patterns
from curate.calculus.graph.node import Node, intern
from curate.calculus.graph.sizes import shown
from curate.calculus.graph.sums import size
from curate.calculus.operators import axis_of, brief, broadcast_together, same_sizes
from curate.calculus.rules import maps, norms, reductions, spectral
from curate.calculus.rules.determinants import transposed_atom


def together(name: str, *operands: Operand) -> list[Expression]:
    """The operands with one scope and one shape, as expressions."""
    return [as_expression(part) for part in broadcast_together(name, *operands)]


def max(u: Operand, v: Operand | None = None, *, axis: int | None = None) -> Expression:
    """The largest element, of all or along an axis; of two operands the larger ones, elementwise.

    Equal elements share the derivative, as in JAX; second derivatives are 0 there, too.
    """
    if v is not None:
        a, b = together("max", u, v)
        return a.with_node(intern("map", a.shape, (a.node, b.node), "maximum"))
    u = as_expression(u)
    if axis is None:
        return u.with_node(reductions.maximum(u.node, u.order)) if u.order else u
    return u.with_node(reductions.maximum(_last(u, axis, "max"), 1))


def min(u: Operand, v: Operand | None = None, *, axis: int | None = None) -> Expression:
    """The smallest element, of all or along an axis; of two operands the smaller ones."""
    if v is not None:
        return -max(-as_expression(u), -as_expression(v))
    return -max(-as_expression(u), axis=axis)


def prod(u: Operand, axis: int | None = None) -> Expression:
    """The product of all elements, or along one axis; its derivatives are exact at 0, too."""
    u = as_expression(u)
    if axis is not None:
        return u.with_node(reductions.others(_last(u, axis, "prod"), 0))
    return u.with_node(reductions.others(patterns.flattened(u.node), 0)) if u.order else u


def _last(u: Expression, axis: int, name: str) -> Node:
    """The operand with this axis moved to the end."""
    place = axis_of(u, axis, name)
    order = (*(i for i in range(u.order) if i != place), place)
    return algebra.einsum(tuple(u.shape[i] for i in order), order, (u.node, tuple(range(u.order))))


def _centred(u: Operand, axis: int | None, name: str) -> tuple[Expression, Node, tuple[int, ...]]:
    """The operand minus its mean, one over the number of elements, and the axes that stay."""
    u = as_expression(u)
    gone = range(u.order) if axis is None else (axis_of(u, axis, name),)
    axes = tuple(range(u.order))
    kept = tuple(i for i in axes if i not in gone)
    one_over = algebra.multiply(
        algebra.constant(1), *(maps.power(size(u.shape[i]), -1) for i in gone)
    )
    shape = tuple(u.shape[i] for i in kept)
    mean = algebra.einsum(shape, kept, (u.node, axes), (one_over, ()))
    spread = algebra.einsum(u.shape, axes, (mean, kept))
    centred = algebra.add(u.node, algebra.scale(-1, spread))
    return u.with_node(centred), one_over, kept


def var(u: Operand, axis: int | None = None) -> Expression:
    """The mean squared distance from the mean, of all or along one axis."""
    centred, one_over, kept = _centred(u, axis, "var")
    axes = tuple(range(centred.order))
    shape = tuple(centred.shape[i] for i in kept)
    factors = ((centred.node, axes), (centred.node, axes), (one_over, ()))
    return centred.with_node(algebra.einsum(shape, kept, *factors))


def std(u: Operand, axis: int | None = None) -> Expression:
    """The root of the variance; where that is 0, its first derivative is 0 by convention."""
    centred, one_over, kept = _centred(u, axis, "std")
    norm = norms.norm(centred.node, kept)
    return centred.with_node(algebra.multiply(norm, maps.power(one_over, Fraction(1, 2))))


def where(condition: Operand, yes: Operand, no: Operand) -> Expression:
    """``yes`` where the condition is not 0, else ``no``; an untaken branch leaves no NaN."""
    parts = together("where", condition, yes, no)
    node = reductions.where(*(part.node for part in parts))
    return parts[0].with_node(node)


def nuclear(u: Operand) -> Expression:
    """The sum of the singular values of a matrix.

    Where some are 0 the first derivative is that of the others; the second is NaN.
    """
    u = as_expression(u)
    if u.order != 2:
        raise ShapeError(f"nuclear({brief(u)}): needs a matrix, not the shape {shown(u.shape)}")
    original = transposed_atom(u.node)
    return u.with_node(intern("nuclear", (), (u.node if original is None else original,)))


def pinv(u: Operand) -> Expression:
    """The Moore-Penrose inverse; its derivatives hold where the rank does not change."""
    u = as_expression(u)
    if u.order != 2:
        raise ShapeError(f"pinv({brief(u)}): needs a matrix, not the shape {shown(u.shape)}")
    return u.with_node(spectral.pinverse(u.node))


def _matrix_function(name: str, u: Operand) -> Expression:
    u = as_expression(u)
    if u.order != 2:
        raise ShapeError(f"{name}m({brief(u)}): needs a matrix, not the shape {shown(u.shape)}")
    pair = [(u.shape[0], u.shape[1])]
    (sized,), _ = same_sizes((u,), pair, f"{name}m({brief(u)}): a square matrix")
    return as_expression(sized.with_node(spectral.spectral(sized.node, name)))


def expm(u: Operand) -> Expression:
    """The exponential of a square matrix; cheapest where it is known to be symmetric."""
    return _matrix_function("exp", u)


def logm(u: Operand) -> Expression:
    """The logarithm of a symmetric positive definite matrix."""
    return _matrix_function("log", u)


def sqrtm(u: Operand) -> Expression:
    """The root of a symmetric matrix without negative eigenvalues."""
    return _matrix_function("sqrt", u)
