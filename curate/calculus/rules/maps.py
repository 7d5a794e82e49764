"""Elementwise maps: their rewriting rules and derivatives.

Conventions at kinks: the first derivatives of abs and norm2 at 0 are 0, and higher ones are NaN
there, unless the whole has a limit; those of relu are the ones from the left, 0; sign has the
derivative 0 everywhere. (JAX has d|x|/dx = 1 at 0, torch 0.)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction

from curate.calculus.errors import CalculusError
from curate.calculus.graph.algebra import (
    add,
    broadcast,
    constant,
    constant_value,
    einsum,
    multiply,
    scale,
    zero,
)
from curate.calculus.graph.node import Node, Number, intern, number
from curate.calculus.graph.signs import nonnegative
from curate.calculus.rules import likelihoods, norms
from curate.calculus.rules.determinants import logdet
from curate.calculus.rules.elementary import elementary
from curate.calculus.rules.mixtures import log_of_mixture
from curate.calculus.rules.reductions import COMPARISONS
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
    if exponent < 0:
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


def _one_minus(node: Node) -> Node:
    return add(constant(1, node.shape), scale(-1, node))


def _polygamma(n: int, node: Node) -> Node:
    return elementary(f"polygamma{n}", node)


def _sphere_slope(n: int, node: Node) -> Node:
    return scale(Fraction(-1, 2), elementary(f"sphere{n + 1}", node))


def _square(node: Node) -> Node:
    return multiply(node, node)


# Of these, ``step``, ``slope``, ``kink``, ``root``, ``rsqrt_or_zero``, ``rsqrt_or_nan`` and
# ``log_or_zero`` cannot be written in a text. ``step`` is the derivative of relu. ``slope`` is that
# of abs, 0 at 0, and ``kink`` that of slope: 0, but NaN at 0. ``root`` and ``rsqrt_or_zero`` are
# ``s^(1/2)`` of a sum of squares, and ``s^(-1/2)`` that is 0 at 0, so that the first derivative of
# norm2 at 0 is 0; higher ones there are NaN (rules/singular.py). ``log_or_zero`` is the logarithm
# that is 0 at 0, as the derivative of ``x^y`` by y needs it. ``mills`` is the normal density over
# the distribution, and ``mills_excess(u)`` is ``mills(u) + u``; ``bose(u)`` is ``1/(exp(u) - 1)``;
# ``cloglog(u)`` is ``log(1 - exp(-exp(u)))``. ``anchor``, ``capped`` and ``log_size`` are those of
# rules/mixtures.py. ``sphere0(s)`` is ``cos(sqrt(s))``, and the next are its derivatives but for
# factors of -1/2: ``j_n(r) / r^n`` with ``s = r^2`` and the spherical Bessel functions j_n.
_DERIVATIVES: dict[str, Callable[[Node], Node]] = {
    "sin": lambda u: apply("cos", u),
    "cos": lambda u: scale(-1, apply("sin", u)),
    "tan": lambda u: add(constant(1, u.shape), _square(apply("tan", u))),
    "arcsin": lambda u: power(_one_minus(_square(u)), Fraction(-1, 2)),
    "arccos": lambda u: scale(-1, power(_one_minus(_square(u)), Fraction(-1, 2))),
    "arctan": lambda u: power(add(constant(1, u.shape), _square(u)), -1),
    "tanh": lambda u: _one_minus(_square(apply("tanh", u))),
    "exp": lambda u: apply("exp", u),
    "expm1": lambda u: apply("exp", u),
    "log": lambda u: power(u, -1),
    "log1p": lambda u: power(add(constant(1, u.shape), u), -1),
    "abs": lambda u: elementary("slope", u),
    "slope": lambda u: elementary("kink", u),
    "slope_or_nan": lambda u: elementary("kink", u),
    "kink": lambda u: elementary("kink", u),
    "sign": lambda u: zero(u.shape),
    "relu": lambda u: apply("step", u),
    "step": lambda u: zero(u.shape),
    "sigmoid": lambda u: multiply(apply("sigmoid", u), apply("sigmoid", scale(-1, u))),
    "softplus": lambda u: apply("sigmoid", u),
    "root": lambda u: scale(Fraction(1, 2), elementary("rsqrt_or_zero", u)),
    "rsqrt_or_zero": lambda u: scale(
        Fraction(-1, 2), multiply(*[elementary("rsqrt_or_zero", u)] * 3)
    ),
    "rsqrt_or_nan": lambda u: scale(
        Fraction(-1, 2), multiply(*[elementary("rsqrt_or_nan", u)] * 3)
    ),
    "log_or_zero": lambda u: power(u, -1),
    "erf": lambda u: scale(2 / math.sqrt(math.pi), apply("exp", scale(-1, _square(u)))),
    "erfc": lambda u: scale(-2 / math.sqrt(math.pi), apply("exp", scale(-1, _square(u)))),
    "log_ndtr": lambda u: elementary("mills", u),
    "mills": lambda u: scale(-1, multiply(elementary("mills", u), elementary("mills_excess", u))),
    "mills_excess": lambda u: _one_minus(
        multiply(elementary("mills", u), elementary("mills_excess", u))
    ),
    "log1mexp": lambda u: scale(-1, elementary("bose", scale(-1, u))),
    "bose": lambda u: scale(-1, add(elementary("bose", u), _square(elementary("bose", u)))),
    "anchor": lambda u: zero(u.shape),
    "log_size": lambda u: zero(u.shape),  # inside anchors only
    "capped": lambda u: constant(1, u.shape),
    "cloglog": lambda u: elementary("cloglog_slope", u),
    "cloglog_slope": lambda u: elementary("cloglog_bend", u),
    "logcosh": lambda u: apply("tanh", u),
    "sinh": lambda u: apply("cosh", u),
    "cosh": lambda u: apply("sinh", u),
    "arcsinh": lambda u: power(add(constant(1, u.shape), _square(u)), Fraction(-1, 2)),
    "arccosh": lambda u: power(add(constant(-1, u.shape), _square(u)), Fraction(-1, 2)),
    "arctanh": lambda u: power(_one_minus(_square(u)), -1),
    "lgamma": lambda u: elementary("digamma", u),
    "digamma": lambda u: elementary("polygamma1", u),
    **{f"sphere{n}": functools.partial(_sphere_slope, n) for n in range(6)},
    **{f"polygamma{n}": functools.partial(_polygamma, n + 1) for n in range(1, 9)},
}


def _power_slope(u: Node, v: Node) -> Node:
    """``v u^(v-1)``, which is 0 where v is 0, even at ``u = 0``."""
    if constant_value(v) is not None:
        return multiply(v, general_power(u, add(v, constant(-1, v.shape))))
    return intern("map", u.shape, (u, v), "power_slope")


def partials(node: Node) -> list[Node]:
    """The elementwise derivative of a map or power by each of its operands."""
    if node.kind == "power":
        return [scale(node.data, power(node.args[0], node.data - 1))]
    if node.data == "pow":
        u, v = node.args
        return [_power_slope(u, v), multiply(apply("log_or_zero", u), node)]
    if node.data == "power_slope":
        u, v = node.args
        less = add(v, constant(-1, v.shape))
        lower = general_power(u, less)
        return [
            multiply(v, _power_slope(u, less)),
            add(lower, multiply(v, apply("log_or_zero", u), lower)),
        ]
    if node.data == "xlogy":
        u, v = node.args
        return [apply("log", v), multiply(u, power(v, -1))]
    if node.data == "maximum":
        u, v = node.args
        shape = node.shape
        return [intern("map", shape, (u, v), "exceeds"), intern("map", shape, (v, u), "exceeds")]
    if node.data in COMPARISONS or node.data == "larger":  # constant, or an anchor
        return [zero(node.shape), zero(node.shape)]
    if node.data not in _DERIVATIVES:
        raise CalculusError(f"{node.data}: no further derivative is known")
    return [_DERIVATIVES[node.data](node.args[0])]


_REWRITTEN: dict[str, Callable[[Node], Node | None]] = {
    "exp": _exp,
    "log": _log,
    "abs": norms.absolute,
    "cos": norms.cosine,
}
