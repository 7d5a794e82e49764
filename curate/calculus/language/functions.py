"""Functions of expressions, for Python and for the grammar alike."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable
from fractions import Fraction

from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.expression import Expression, Operand, as_expression
from curate.calculus.graph import algebra
from curate.calculus.graph.node import Dim, intern
from curate.calculus.graph.sizes import shown
from curate.calculus.language.arrays import cumsum as cumsum
from curate.calculus.language.arrays import kron as kron
from curate.calculus.language.arrays import kron_tensor as kron_tensor
from curate.calculus.language.arrays import reshape as reshape
from curate.calculus.language.arrays import stack as stack
from curate.calculus.language.arrays import tril as tril
from curate.calculus.language.arrays import triu as triu
from curate.calculus.language.arrays import vec as vec
from curate.calculus.language.reductions import expm as expm
from curate.calculus.language.reductions import logm as logm
from curate.calculus.language.reductions import max as max
from curate.calculus.language.reductions import min as min
from curate.calculus.language.reductions import nuclear as nuclear
from curate.calculus.language.reductions import pinv as pinv
from curate.calculus.language.reductions import prod as prod
from curate.calculus.language.reductions import sqrtm as sqrtm
from curate.calculus.language.reductions import std as std
from curate.calculus.language.reductions import together
from curate.calculus.language.reductions import var as var
from curate.calculus.language.reductions import where as where
from curate.calculus.language.variables import eye as eye
from curate.calculus.language.variables import matrix as matrix
from curate.calculus.language.variables import scalar as scalar
from curate.calculus.language.variables import tensor as tensor
from curate.calculus.language.variables import vector as vector
from curate.calculus.operators import axis_of, brief, matmul, same_sizes
from curate.calculus.rules import determinants, maps, matrices, minors, norms, stable


def _needs(u: Expression, orders: tuple[int, ...], name: str) -> Expression:
    u = as_expression(u)
    if u.order not in orders:
        kinds = " or ".join(("a scalar", "a vector", "a matrix")[order] for order in orders)
        raise ShapeError(
            f"{name}({brief(u)}): needs {kinds}, but the operand has the shape {shown(u.shape)}"
        )
    return u


def _square(u: Expression, name: str) -> Expression:
    u = _needs(u, (2,), name)
    where = f"{name}({brief(u)}): a square matrix"
    (sized,), _ = same_sizes((u,), [(u.shape[0], u.shape[1])], where)
    return as_expression(sized)


def tr(u: Expression) -> Expression:
    """The trace of a square matrix."""
    u = _square(u, "tr")
    return u.with_node(algebra.einsum((), (), (u.node, (0, 0))))


def inv(u: Expression) -> Expression:
    """The inverse of a square matrix; by Cholesky where it is positive definite."""
    u = _square(u, "inv")
    return u.with_node(matrices.inverse(u.node))


def det(u: Expression) -> Expression:
    """The determinant of a square matrix."""
    u = _square(u, "det")
    return u.with_node(determinants.determinant(u.node))


def adj(u: Expression) -> Expression:
    """The adjugate of a square matrix, ``det(A) inv(A)`` also where A is singular."""
    u = _square(u, "adj")
    return u.with_node(algebra.transpose(minors.minors(u.node, 1)))


def logdet(u: Expression) -> Expression:
    """The logarithm of the absolute determinant; by Cholesky where positive definite."""
    u = _square(u, "logdet")
    return u.with_node(determinants.logdet(u.node))


def solve(a: Expression, b: Expression) -> Expression:
    """``inv(a) @ b``."""
    return as_expression(
        matmul(inv(a), as_expression(b), f"solve({brief(a)}, {brief(as_expression(b))})")
    )


def diag(u: Expression) -> Expression:
    """The diagonal of a matrix, or the diagonal matrix of a vector."""
    u = as_expression(u)
    if u.order == 1:
        dim = u.shape[0]
        return u.with_node(algebra.einsum((dim, dim), (0, 0), (u.node, (0,))))
    u = _square(u, "diag")
    return u.with_node(algebra.einsum(u.shape[:1], (0,), (u.node, (0, 0))))


def matrix_power(u: Expression, exponent: int) -> Expression:
    """An integer power of a square matrix."""
    u = _square(u, "matrix_power")
    base = inv(u) if exponent < 0 else u
    if exponent == 0:
        return u.with_node(algebra.unit(u.shape[0]))
    return functools.reduce(lambda a, b: a @ b, [base] * builtins.abs(exponent))


def _elementwise(name: str) -> Callable[[Operand], Expression]:
    def function(u: Operand) -> Expression:
        u = as_expression(u)
        return u.with_node(maps.apply(name, u.node))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{name}`` of every element."
    return function


sin, cos, tan, arcsin, arccos, arctan, tanh = map(
    _elementwise, ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "tanh")
)
exp, log, abs, sign, relu, sigmoid, softplus, erf = map(
    _elementwise, ("exp", "log", "abs", "sign", "relu", "sigmoid", "softplus", "erf")
)


expm1, log1p, erfc, log_ndtr, lgamma, digamma = map(
    _elementwise, ("expm1", "log1p", "erfc", "log_ndtr", "lgamma", "digamma")
)
sinh, cosh, arcsinh, arccosh, arctanh = map(
    _elementwise, ("sinh", "cosh", "arcsinh", "arccosh", "arctanh")
)


def log2(u: Operand) -> Expression:
    """The logarithm to base 2 of every element."""
    return log(u) * (1 / math.log(2))


def log10(u: Operand) -> Expression:
    """The logarithm to base 10 of every element."""
    return log(u) * (1 / math.log(10))


def logit(u: Operand) -> Expression:
    """``log(u / (1 - u))`` of every element."""
    return log(u) - log1p(-as_expression(u))


def logaddexp(u: Operand, v: Operand) -> Expression:
    """``log(exp(u) + exp(v))`` elementwise, without overflow."""
    a, b = together("logaddexp", u, v)
    return a + softplus(b - a)


def xlogy(u: Operand, v: Operand) -> Expression:
    """``u log v`` elementwise, and 0 where u is 0."""
    a, b = together("xlogy", u, v)
    return a.with_node(intern("map", a.shape, (a.node, b.node), "xlogy"))


def sqrt(u: Operand) -> Expression:
    """The square root of every element."""
    u = as_expression(u)
    return u.with_node(maps.power(u.node, Fraction(1, 2)))


def sum(u: Expression, axis: int | None = None) -> Expression:
    """The sum of all elements, or along one axis."""
    return as_expression(u).sum(axis)


def mean(u: Expression, axis: int | None = None) -> Expression:
    """The mean of all elements, or along one axis."""
    return as_expression(u).mean(axis)


def norm1(u: Expression) -> Expression:
    """The sum of absolute values."""
    return sum(abs(u))


def norm2(u: Expression, axis: int | None = None) -> Expression:
    """The root of the sum of squares (of a matrix: Frobenius), of all or along one axis.

    Its first derivative at 0 is 0, and higher ones are NaN there unless the whole has a limit.
    """
    u = as_expression(u)
    if axis is None:
        return u.with_node(norms.norm(u.node))
    gone = axis_of(u, axis, "norm2")
    return u.with_node(norms.norm(u.node, tuple(i for i in range(u.order) if i != gone)))


def logsumexp(u: Expression, axis: int | None = None) -> Expression:
    """``log(sum(exp(u)))`` over all elements or along one axis, without overflow."""
    u = _needs_axes(u, "logsumexp")
    if axis is None:
        return u.with_node(stable.logsumexp(u.node, u.order))
    order = _moved_last(u, axis_of(u, axis, "logsumexp"))
    moved = algebra.einsum(tuple(u.shape[i] for i in order), order, (u.node, tuple(range(u.order))))
    return u.with_node(stable.logsumexp(moved, 1))


def softmax(u: Expression, axis: int = -1) -> Expression:
    """``exp(u) / sum(exp(u))`` along an axis, without overflow."""
    u = _needs_axes(u, "softmax")
    order = _moved_last(u, axis_of(u, axis, "softmax"))
    moved_shape = tuple(u.shape[i] for i in order)
    axes = tuple(range(u.order))
    moved = algebra.einsum(moved_shape, order, (u.node, axes))
    return u.with_node(algebra.einsum(u.shape, axes, (matrices.softmax(moved), order)))


def _moved_last(u: Expression, axis: int) -> tuple[int, ...]:
    return (*(i for i in range(u.order) if i != axis), axis)


def _needs_axes(u: Expression, name: str) -> Expression:
    u = as_expression(u)
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
    nodes = [as_expression(operand) for operand in operands]
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
    sized, _ = same_sizes(tuple(nodes), pairs, f"einsum {spec!r}")
    number_of = {name: k for k, name in enumerate(first)}
    dims = {
        name: dim
        for names, node in zip(labels, sized, strict=True)
        for name, dim in zip(names, node.shape, strict=True)
    }
    factors = [
        (node.node, tuple(number_of[name] for name in names))
        for names, node in zip(labels, sized, strict=True)
    ]
    shape = tuple(dims[name] for name in out)
    product = algebra.einsum(shape, tuple(number_of[name] for name in out), *factors)
    return as_expression(sized[0].with_node(product))
