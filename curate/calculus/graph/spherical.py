"""Sines of norms over norms, and times norms: the smooth functions of the square that they are."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, intern


def sine_over_norm(factors: Factors, total: Callable[..., Node]) -> tuple[Number, Factors] | None:
    """``sin(c q r) / r`` as ``c q sphere1((c q r)^2)``, r being a norm or absolute value.

    And ``r sin(c q r)`` as that times ``r^2``.
    """
    for k, (node, labels) in enumerate(factors):
        if node.kind != "map" or node.data != "sin":
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
            smooth = intern("map", u.shape, (square,), "sphere1")
            return coefficient, (*rest, *outside, (smooth, labels))
    return None


def _over(norm: Node, labels: Labels, factors: Factors) -> Factors | None:
    """The factors times the norm, where they hold it or a negative power of it; else None."""
    for k, (node, axes) in enumerate(factors):
        if axes == labels and node is norm:  # r sin(r) is r^2 sphere1(r^2)
            square = [norm.args[0]] * (2 if norm.data == "abs" else 1)
            return (*factors[:k], *factors[k + 1 :], *((each, labels) for each in square))
        if axes != labels or node.kind != "power":
            continue
        base, step = (norm, 1) if norm.data == "abs" else (norm.args[0], Fraction(1, 2))
        if node.args[0] is not base or node.data + step > 0:
            continue
        exponent = node.data + step
        whole = int(exponent) if exponent == int(exponent) else exponent
        raised = [] if not exponent else [(intern("power", base.shape, (base,), whole), axes)]
        return (*factors[:k], *factors[k + 1 :], *raised)
    return None
