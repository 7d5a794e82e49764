"""Odd maps of norms over norms, and times norms: the smooth functions of the square that they are.

``tanh(r) / r`` with ``r = norm2(x)`` is a power series in ``r^2``, so it has a limit where x is 0,
and derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from curate.calculus.elementwise import MAPS
from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, intern

_SMOOTH = {name: f"{name}_over0" for name in MAPS if f"{name}_over0" in MAPS} | {"sin": "sphere1"}


def odd_over_norm(factors: Factors, total: Callable[..., Node]) -> tuple[Number, Factors] | None:
    """``f(c q r) / r`` as ``c q g((c q r)^2)``, r being a norm or absolute value and f odd.

    And ``r f(c q r)`` as that times ``r^2``.
    """
    for k, (node, labels) in enumerate(factors):
        if node.kind != "map" or node.data not in _SMOOTH:
            continue
        (u,) = node.args
        if len(u.terms) != 1:
            continue
        ((coefficient, inner, out),) = u.terms
        if len(set(out)) < len(out) or any(axes not in (out, ()) for _, axes in inner):
            continue
        for at, (norm, axes) in enumerate(inner):
            if norm.kind != "map" or norm.data not in ("root", "abs") or axes != out:
                continue
            rest = _over(norm, labels, factors[:k] + factors[k + 1 :])
            if rest is None:
                continue
            square = total(u.shape, [(1, ((u, out), (u, out)), out)])
            others = inner[:at] + inner[at + 1 :]
            outside = tuple((q, tuple(labels[out.index(i)] for i in own)) for q, own in others)
            smooth = intern("map", u.shape, (square,), _SMOOTH[node.data])
            return coefficient, (*rest, *outside, (smooth, labels))
    return None


def _over(norm: Node, labels: Labels, factors: Factors) -> Factors | None:
    """The factors times the norm, where they hold it or one over it; else None.

    One over it is a negative power, or what a first derivative has: ``rsqrt_or_zero``, or the slope
    of an absolute value.
    """
    (s,) = norm.args
    for k, (node, axes) in enumerate(factors):
        if axes != labels:
            continue
        rest = factors[:k] + factors[k + 1 :]
        if node is norm:  # r sin(r) is r^2 sphere1(r^2)
            return (*rest, *((s, labels) for _ in range(2 if norm.data == "abs" else 1)))
        if node.kind == "map" and node.args[0] is s and norm.data == "root":
            if node.data == "rsqrt_or_zero":
                return rest
        elif node.kind == "map" and node.args[0] is s and node.data == "slope":
            return (*rest, (s, labels))
        if node.kind != "power":
            continue
        base, step = (norm, 1) if norm.data == "abs" else (s, Fraction(1, 2))
        if node.args[0] is not base or node.data + step > 0:
            continue
        exponent = node.data + step
        whole = int(exponent) if exponent == int(exponent) else exponent
        raised = [] if not exponent else [(intern("power", base.shape, (base,), whole), axes)]
        return (*rest, *raised)
    return None
