"""Complements of maps that are near 1: ``1 - sigmoid(u)`` and its like."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from curate.calculus.graph import products
from curate.calculus.graph.node import Node, Number, Term, intern, number, scaled


def complemented(terms: list[Term]) -> list[Term]:
    """``1 - sigmoid(u)`` as ``sigmoid(-u)``, and its like, so that no digit is lost near 1.

    Also ``exp(u) - 1`` as ``expm1(u)``, and the complements of erf, erfc, tanh, cos and cosh.
    """
    for k, constant in enumerate(terms):
        if constant.factors or len(set(constant.out)) < len(constant.out):
            continue
        for j, term in enumerate(terms):
            if len(term.factors) == 1 and term.out == constant.out:
                ((node, labels),) = term.factors
                if node.kind != "map" or len(set(labels)) < len(labels):
                    continue
                found = _complement(node, constant.coefficient, term.coefficient)
                if found is not None:
                    coefficient, *others = found
                    merged = Term(coefficient, tuple((o, labels) for o in others), term.out)
                    return [merged, *(t for i, t in enumerate(terms) if i not in (k, j))]
    return terms


def _complement(node: Node, c: Number, d: Number) -> tuple[Any, ...] | None:
    """``c + d node`` as a number and the maps that it multiplies, where it is such a product."""
    name = node.data
    if name not in ("sigmoid", "exp", "expm1", "erf", "erfc", "tanh", "cos", "cosh"):
        return None
    u = node.args[0]

    def of(kind: str, sign: int = 1) -> Node:
        return intern("map", u.shape, (u if sign > 0 else scaled(-1, u),), kind)

    if name in ("cos", "cosh") and d == -c:  # 1 - cos(u) is 2 sin(u/2)^2, cosh(u) - 1 2 sinh(u/2)^2
        half = scaled(Fraction(1, 2), u)
        root = intern("map", u.shape, (half,), "sin" if name == "cos" else "sinh")
        return 2 * (c if name == "cos" else d), root, root
    if name == "sigmoid" and d == -2 * c:
        return -c, intern("map", u.shape, (scaled(Fraction(1, 2), u),), "tanh")
    if name == "sigmoid" and d == -c:
        return c, of("sigmoid", -1)
    if name == "exp" and d == -c:
        return d, of("expm1")
    if name == "expm1" and d == c:
        return c, products.exponential(u)
    if name == "erf" and d in (c, -c):
        return c, of("erfc", -1 if d == c else 1)
    if name == "erfc" and 2 * d == -c:
        return number(-d), of("erfc", -1)
    if name == "erfc" and d == -c:
        return c, of("erf")
    if name == "tanh" and d in (c, -c):
        return 2 * c, intern("map", u.shape, (scaled(2 if d == c else -2, u),), "sigmoid")
    return None
