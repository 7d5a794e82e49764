"""Elementwise maps: how they are rewritten, and differentiated by elementwise.py."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from curate.calculus.elementwise import MAPS
from curate.calculus.errors import CalculusError
from curate.calculus.graph.algebra import (
    add,
    broadcast,
    constant,
    constant_value,
    einsum,
    multiply,
    scale,
)
from curate.calculus.graph.node import Node, Number, intern, number
from curate.calculus.graph.overflow import hyperbolic
from curate.calculus.graph.signs import nonnegative
from curate.calculus.graph.sums import total
from curate.calculus.rules import likelihoods, norms
from curate.calculus.rules.determinants import logdet
from curate.calculus.rules.elementary import elementary
from curate.calculus.rules.mixtures import log_of_mixture
from curate.calculus.rules.stable import log_of_sum


def apply(name: str, u: Node) -> Node:
    """``name(u)`` elementwise, rewritten where that is exact and steadier."""
    if constant_value(u) is None and name in _REWRITTEN:
        return _REWRITTEN[name](u) or elementary(name, u)
    return elementary(name, u)


def _exp(u: Node) -> Node | None:
    if u.kind == "map" and u.data == "log" and nonnegative(u.args[0]):
        return u.args[0]
    if len(u.terms) == 1:
        ((coefficient, factors, out),) = u.terms
        if len(factors) == 1 and factors[0][1] == out and len(set(out)) == len(out):
            ((inner, _),) = factors
            if coefficient == -1 and inner.kind == "map" and inner.data == "softplus":
                return apply("sigmoid", scale(-1, inner.args[0]))
            if inner.kind == "map" and inner.data == "log":
                base = inner.args[0]
                if nonnegative(base) or not isinstance(coefficient, int):  # NaN below 0 as before
                    return power(base, coefficient)
    return None


def _log(u: Node) -> Node | None:
    if u.kind == "map" and u.data == "exp":
        return u.args[0]
    if u.kind == "map" and u.data == "sigmoid":
        return scale(-1, apply("softplus", scale(-1, u.args[0])))
    if u.kind == "map" and u.data == "cosh":
        return elementary("logcosh", u.args[0])
    if u.kind == "map" and u.data in ("expm1", "sinh"):  # exp(v) - 1 is exp(v) (1 - exp(-v))
        (v,) = u.args
        twice = scale(2, v) if u.data == "sinh" else v
        half = constant(-math.log(2) if u.data == "sinh" else 0, v.shape)
        return add(v, half, elementary("log1mexp", scale(-1, twice)))
    if u.kind == "power" and not (isinstance(u.data, int) and u.data % 2 == 0):
        return scale(u.data, apply("log", u.args[0]))
    if u.kind == "determinant":
        return logdet(u.args[0], signed=True)
    return (
        log_of_sum(u)
        or likelihoods.log_of_product(u, functools.partial(apply, "log"))
        or likelihoods.log_of_difference(u)
        or log_of_mixture(u)
    )


def power(u: Node, exponent: Number) -> Node:
    """``u ** exponent`` elementwise, for a number as exponent."""
    exponent = number(exponent)
    if exponent == 0:
        return constant(1, u.shape)
    if exponent == 1:
        return u
    value = constant_value(u)
    if value is not None and (value > 0 or (value != 0 and isinstance(exponent, int))):
        root = math.isqrt(value) if isinstance(value, int) and exponent == Fraction(1, 2) else 0
        if root and root * root == value:
            return constant(root, u.shape)
        exact = Fraction(value) if isinstance(value, int) else value
        return constant(exact**exponent, u.shape)
    if u.kind == "power" and (isinstance(exponent, int) or not isinstance(u.data, int)):
        both = number(u.data * exponent)
        whole = isinstance(both, int) and not isinstance(u.data, int)
        if not whole or nonnegative(u.args[0]):  # (x^0.5)^2 is NaN below 0, and x is not
            return power(u.args[0], both)
    if u.kind == "map" and u.data == "abs" and isinstance(exponent, int) and exponent % 2 == 0:
        return power(norms.transparent(u.args[0]), exponent)
    if exponent == Fraction(1, 2):
        norm = norms.root_of_squares(u)
        if norm is not None:
            return norm
    if u.kind == "map" and u.data == "exp":
        return apply("exp", scale(exponent, u.args[0]))
    if u.kind == "map" and u.data == "root":
        if isinstance(exponent, int) and exponent > 1:
            # smooth at 0, and so are these factors
            if exponent % 2:
                return multiply(power(u.args[0], exponent // 2), u)
            return power(norms.transparent_square(u.args[0]), exponent // 2)
        half = Fraction(exponent) / 2 if isinstance(exponent, int) else exponent / 2
        return intern("power", u.shape, u.args, number(half))
    if isinstance(exponent, int):
        if 2 <= exponent <= 4:
            return multiply(*[u] * exponent)
        product = _power_of_product(u, exponent)
        if product is not None:
            return product
    if exponent < 0 and u.kind == "sum":
        if len(u.data) == 2 and (cosh := hyperbolic(u.data, 1)):
            return power(total(u.shape, cosh), exponent)
        logarithm = log_of_sum(u)
        if logarithm is not None:
            return apply("exp", scale(exponent, logarithm))
    return intern("power", u.shape, (u,), exponent)


def _power_of_product(u: Node, exponent: int) -> Node | None:
    """``(c a b)^p = c^p a^p b^p`` for elementwise products."""
    if u.kind != "sum" or len(u.data) != 1:
        return None
    ((coefficient, factors, out),) = u.data
    if len(set(out)) < len(out) or not all(set(labels) <= set(out) for _, labels in factors):
        return None
    exact = Fraction(coefficient) if isinstance(coefficient, int) else coefficient
    powers = [(power(node, exponent), labels) for node, labels in factors]
    return scale(exact**exponent, einsum(u.shape, out, *powers))


def general_power(u: Node, v: Node) -> Node:
    """``u ** v`` elementwise, both of one shape or scalars."""
    value = constant_value(v)
    if u.order < v.order:
        u = broadcast(u, v.shape)
    if value is not None:
        return power(u, value)
    if v.order < u.order:
        v = broadcast(v, u.shape)
    base = constant_value(u)
    if base is not None and base > 0:
        return apply("exp", scale(math.log(base), v))
    return intern("map", u.shape, (u, v), "pow")


class Element:
    """A node in the formulas of elementwise.py: with operators, and with maps as methods."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __getattr__(self, name: str) -> Callable[..., Element]:
        def called(*others: Element) -> Element:
            if not others:
                return Element(apply(name, self.node))
            (v,) = (other.node for other in others)
            rewritten = {"pow": general_power, "power_slope": _power_slope}.get(name)
            if rewritten:
                return Element(rewritten(self.node, v))
            return Element(intern("map", self.node.shape, (self.node, v), name))

        return called

    def _of(self, other: Any) -> Node:
        return other.node if isinstance(other, Element) else constant(other, self.node.shape)

    def __add__(self, other: Any) -> Element:
        return Element(add(self.node, self._of(other)))

    def __sub__(self, other: Any) -> Element:
        return self + -other

    def __rsub__(self, other: Any) -> Element:
        return -self + other

    def __mul__(self, other: Any) -> Element:
        return Element(multiply(self.node, self._of(other)))

    def __neg__(self) -> Element:
        return Element(scale(-1, self.node))

    def __pow__(self, exponent: Number) -> Element:
        return Element(power(self.node, exponent))

    __radd__, __rmul__ = __add__, __mul__


def _power_slope(u: Node, v: Node) -> Node:
    """``v u^(v-1)``, which is 0 where v is 0, even at ``u = 0``."""
    if constant_value(v) is not None:
        return multiply(v, general_power(u, add(v, constant(-1, v.shape))))
    return intern("map", u.shape, (u, v), "power_slope")


def partials(node: Node) -> list[Node]:
    """The elementwise derivative of a map or power by each of its operands."""
    if node.kind == "power":
        return [scale(node.data, power(node.args[0], node.data - 1))]
    if node.kind == "germ":
        function, n, even = node.data
        whole = intern("germ", node.shape, node.args, (function, n + 1, even))
        return [whole, constant(0, node.shape)][: len(node.args)]  # the other is a function of u
    slope = MAPS[node.data].slope
    if slope is None:
        raise CalculusError(f"{node.data}: no further derivative is known")
    if isinstance(slope, int):
        return [constant(slope, node.shape)] * len(node.args)
    slopes = slope(*map(Element, node.args))
    return [one.node for one in (slopes if isinstance(slopes, tuple) else (slopes,))]


_REWRITTEN: dict[str, Callable[[Node], Node | None]] = {
    "exp": _exp,
    "log": _log,
    "abs": norms.absolute,
}
