"""Logarithms of products and differences, as they occur in likelihoods, at any margin."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from curate.calculus.graph.algebra import add, constant, scale
from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, intern
from curate.calculus.graph.signs import nonnegative, positive
from curate.calculus.graph.sums import total
from curate.calculus.rules.elementary import elementary


def log_of_product(u: Node, log: Callable[[Node], Node]) -> Node | None:
    """``log(c r p q)`` as ``log(c r) + log p + log q``, for maps p and q that are positive."""
    if len(u.terms) != 1 or not u.terms[0].factors:
        return None
    ((coefficient, factors, out),) = u.terms
    if len(set(out)) < len(out):
        return None
    coefficient, factors = _bounded(coefficient, factors)
    apart = [f for f in factors if _has_steady_log(f[0]) and set(f[1]) <= set(out)]
    kept = tuple(f for f in factors if f not in apart)
    if not apart:
        return _log_of_negated(u, coefficient, factors, log)
    parts = []
    for node, labels in apart:
        number, logarithm = _steady_log(node)
        parts += [(1, ((logarithm, labels),), out)]
        coefficient = coefficient * number
    logs = total(u.shape, parts)
    if not kept and coefficient > 0:
        first = constant(0 if coefficient == 1 else math.log(coefficient), u.shape)
    else:
        first = log(total(u.shape, [(coefficient, kept, out)]))
    return add(first, logs)


def _bounded(c: Number, factors: Factors) -> tuple[Number, Factors]:
    """``sinh(v)`` as ``tanh(v) cosh(v)``, the cosh having a logarithm that does not overflow.

    So is ``exp(v) - 1 = 2 sinh(v/2) exp(v/2)``, beside factors that may be negative as well.
    """
    made: Factors = ()
    for node, labels in factors:
        name = node.data if node.kind == "map" else ""
        others = (other for other, _ in factors if other is not node)
        if name == "sinh" or (name == "expm1" and not all(map(nonnegative, others))):
            (v,) = node.args
            if name == "expm1":
                c, v = 2 * c, scale(Fraction(1, 2), v)
                made = (*made, (elementary("exp", v), labels))
            made = (*made, *((elementary(each, v), labels) for each in ("tanh", "cosh")))
        else:
            made = (*made, (node, labels))
    return c, made


def _has_steady_log(node: Node) -> bool:
    if node.kind == "power":
        return _has_steady_log(node.args[0])
    return node.kind == "map" and node.data in ("exp", "sigmoid", "erfc", "cosh") and positive(node)


def _steady_log(node: Node) -> tuple[Number, Node]:
    """A number and a node: the node is the logarithm of the map without that factor."""
    if node.kind == "power":
        factor, logarithm = _steady_log(node.args[0])
        return float(factor) ** float(node.data), scale(node.data, logarithm)
    (u,) = node.args
    if node.data == "exp":
        return 1, u
    if node.data == "cosh":
        return 1, elementary("logcosh", u)
    if node.data == "sigmoid":
        return 1, scale(-1, elementary("softplus", scale(-1, u)))
    return 2, elementary("log_ndtr", scale(-math.sqrt(2), u))  # erfc(u) = 2 Phi(-sqrt(2) u)


def _log_of_negated(
    u: Node,
    coefficient: Number,
    factors: tuple[tuple[Node, Labels], ...],
    log: Callable[[Node], Node],
) -> Node | None:
    """``log(c (1 - exp w))``, for whatever w; of ``1 - exp(-exp v)`` also where exp v vanishes."""
    found = [f for f in factors if f[0].kind == "map" and f[0].data == "expm1"]
    ((_, _, out),) = u.terms
    if len(found) != 1 or coefficient >= 0 or not set(found[0][1]) <= set(out):
        return None
    ((node, labels),) = found
    rest = tuple(f for f in factors if f not in found)
    (w,) = node.args
    inner = None
    if len(w.terms) == 1 and len(w.terms[0].factors) == 1:
        scale_of_w, ((base, axes),), places = w.terms[0]
        exponential = base.kind == "map" and base.data == "exp" and axes == places
        if exponential and scale_of_w < 0:
            (v,) = base.args
            shift = constant(0 if scale_of_w == -1 else math.log(-scale_of_w), v.shape)
            inner = elementary("cloglog", add(v, shift))
    if inner is None:
        inner = intern("map", w.shape, (w,), "log1mexp")
    logs = total(u.shape, [(1, ((inner, labels),), out)])
    if not rest and coefficient == -1:
        return logs
    if not rest:
        return add(constant(math.log(-coefficient), u.shape), logs)
    return add(log(total(u.shape, [(-coefficient, rest, out)])), logs)


def log_of_difference(u: Node) -> Node | None:
    """``log(c sigmoid(a) - c sigmoid(b))``, as ordered logit has it.

    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)).
    """
    if len(u.terms) != 2:
        return None
    one, two = sorted(u.terms, key=lambda term: -term.coefficient)
    same = one.coefficient == -two.coefficient and one.out == two.out
    if not same or len(one.factors) != 1 or len(two.factors) != 1:
        return None
    ((p, left),), ((q, right),) = one.factors, two.factors
    if not (
        p.kind == q.kind == "map" and p.data == q.data == "sigmoid" and left == right == one.out
    ):
        return None
    a, b = p.args[0], q.args[0]
    parts = [
        constant(0 if one.coefficient == 1 else math.log(one.coefficient), u.shape),
        scale(-1, elementary("softplus", scale(-1, a))),
        scale(-1, elementary("softplus", b)),
        intern("map", u.shape, (add(b, scale(-1, a)),), "log1mexp"),
    ]
    return add(*parts)
