"""Elementwise functions of expressions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from curate.calculus import maps
from curate.calculus.expression import Expression, Operand, as_expression


def _elementwise(name: str) -> Callable[[Operand], Expression]:
    def function(u: Operand) -> Expression:
        u = as_expression(u)
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
    u = as_expression(u)
    return u._with(maps.power(u.node, Fraction(1, 2)))
