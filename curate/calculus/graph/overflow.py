"""Quotients of exponentials that overflow, or vanish, together: as maps that do not.

``sinh(u) / cosh(u)`` is ``tanh(u)`` also where both are infinite. So it is for ``exp / expm1``,
``cosh / sinh``, ``(exp(u) - 1) / (exp(u) + 1)``, and the normal density over its distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, Term, intern, number, scaled

_ROUNDING = 1e-14
Made = tuple[Number, tuple[Node, ...]]


def steady_quotient(factors: Factors) -> tuple[Number, Factors] | None:
    """A number and the factors after the first rule that applies; None where none does."""
    for k, (node, labels) in enumerate(factors):
        below, exponent = (node.args[0], node.data) if node.kind == "power" else (node, 1)
        over = exponent <= -1
        if below.kind != "map" or below.data not in (_BELOW if over else ("expm1",)):
            continue
        for j, (above, axes) in enumerate(factors):
            if j == k or axes != labels or above.kind != "map":
                continue
            found = _quotient(above, below) if over else _product(below, above)
            if found is not None:
                by, made = found
                if exponent < -1:
                    made = (*made, _power(below, exponent + 1))
                rest = (f for i, f in enumerate(factors) if i not in (j, k))
                return by, (*rest, *((each, labels) for each in made))
    return None


_BELOW = ("cosh", "sinh", "expm1", "erfc")


def _quotient(above: Node, below: Node) -> Made | None:
    """A number and the factors that ``above / below`` is."""
    (u,), names = below.args, (above.data, below.data)
    if names == ("exp", "erfc"):
        return _mills(above.args[0], u)
    if above.args[0] is not u:
        return None
    if names == ("sinh", "cosh"):
        return 1, (_map("tanh", u),)
    if names == ("cosh", "sinh"):
        return 1, (_power(_map("tanh", u), -1),)
    if names == ("exp", "expm1"):
        return -1, (_power(_map("expm1", scaled(-1, u)), -1),)
    return None


def _product(expm1: Node, other: Node) -> Made | None:
    """``(exp(u) - 1) sigmoid(-u)``; an exponential that makes ``exp(u) - 1`` vanish, too."""
    (u,) = expm1.args
    if other.data == "sigmoid" and other.args[0] is scaled(-1, u):
        return 1, (_map("tanh", scaled(Fraction(1, 2), u)),)
    if other.data == "exp" and u.data != "capped" and _holds(other.args[0], _map("exp", u)):
        return 1, (_map("expm1", _map("capped", u)), other)
    return None


def _holds(v: Node, exponential: Node) -> bool:
    """Whether ``exp(v)`` is 0 where an exponential is infinite: a negative multiple is in v."""
    axes = tuple(range(v.order))
    return any(
        term.coefficient < 0 and term.factors == ((exponential, axes),) and term.out == axes
        for term in v.terms
    )


def _mills(w: Node, u: Node) -> Made | None:
    """``exp(-u^2) / erfc(u)`` by ``mills``, the normal density over the distribution."""
    if len(u.terms) != 1 or len(w.terms) != 1:
        return None
    ((c, factors, out),), ((d, squares, axes),) = u.terms, w.terms
    if out != axes or sorted(squares, key=_place) != sorted((*factors, *factors), key=_place):
        return None
    if abs(float(d) + float(c) ** 2) > _ROUNDING * abs(float(d)):
        return None
    return math.sqrt(math.pi / 2), (_map("mills", scaled(-math.sqrt(2), u)),)


def _place(factor: tuple[Node, Labels]) -> tuple[int, Labels]:
    return factor[0].birth, factor[1]


def hyperbolic(terms: Sequence[Term], sign: int) -> list[Term] | None:
    """The terms with ``exp(u) - exp(-u)`` as ``2 sinh(u)``, or with the plus as ``2 cosh(u)``.

    Of u and -u it is the one that begins with a plus, so that equal ones meet.
    """
    exponentials = {}
    for term in terms:
        if len(term.factors) == 1 and term.factors[0][0].kind == "map":
            ((node, labels),) = term.factors
            if node.data == "exp" and len(set(labels)) == len(labels):
                exponentials[node.args[0], labels, term.out] = term
    for (u, labels, out), one in exponentials.items():
        two = exponentials.get((scaled(-1, u), labels, out))
        if (
            two is not None
            and u.terms[0].coefficient > 0
            and two.coefficient == sign * one.coefficient
        ):
            name = "cosh" if sign > 0 else "sinh"
            whole = Term(number(2 * one.coefficient), ((_map(name, u), labels),), out)
            return [whole, *(term for term in terms if term not in (one, two))]
    return None


def _map(name: str, u: Node) -> Node:
    return intern("map", u.shape, (u,), name)


def _power(base: Node, exponent: Number) -> Node:
    return intern("power", base.shape, (base,), number(exponent))
