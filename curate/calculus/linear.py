"""Functions of matrices: inverse, determinant, trace, diagonal, powers."""

from __future__ import annotations

import functools

from curate.calculus import algebra, determinants, matrices
from curate.calculus.errors import ShapeError
from curate.calculus.expression import Expression, as_expression
from curate.calculus.operators import brief, matmul, same_sizes
from curate.calculus.sizes import shown


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
    return u._with(algebra.einsum((), (), (u.node, (0, 0))))


def inv(u: Expression) -> Expression:
    """The inverse of a square matrix; by Cholesky where it is positive definite."""
    u = _square(u, "inv")
    return u._with(matrices.inverse(u.node))


def det(u: Expression) -> Expression:
    """The determinant of a square matrix."""
    u = _square(u, "det")
    return u._with(determinants.determinant(u.node))


def logdet(u: Expression) -> Expression:
    """The logarithm of the absolute determinant; by Cholesky where positive definite."""
    u = _square(u, "logdet")
    return u._with(determinants.logdet(u.node))


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
        return u._with(algebra.einsum((dim, dim), (0, 0), (u.node, (0,))))
    u = _square(u, "diag")
    return u._with(algebra.einsum(u.shape[:1], (0,), (u.node, (0, 0))))


def matrix_power(u: Expression, exponent: int) -> Expression:
    """An integer power of a square matrix."""
    u = _square(u, "matrix_power")
    base = inv(u) if exponent < 0 else u
    if exponent == 0:
        return u._with(algebra.unit(u.shape[0]))
    return functools.reduce(lambda a, b: a @ b, [base] * abs(exponent))
