"""Elementwise maps before any rewriting: of a constant they are constants."""

from __future__ import annotations

import math

from curate.calculus.elementwise import MAPS
from curate.calculus.graph.algebra import constant, constant_value
from curate.calculus.graph.node import Node, Number, intern


def elementary(name: str, u: Node) -> Node:
    """``name(u)`` elementwise, as it stands."""
    if name == "root":
        u.nonnegative = True  # a sum of squares, also where it is no longer written as one
    value = constant_value(u)
    known = None if value is None else _constant(name, value)
    return intern("map", u.shape, (u,), name) if known is None else constant(known, u.shape)


def _constant(name: str, value: Number) -> Number | None:
    if value == 0:
        return MAPS[name].zero
    if name == "log" and value == 1:
        return 0
    if name in ("abs", "relu", "sign", "step", "slope"):
        positive = 1 if value > 0 else 0
        known: dict[str, Number] = {
            "abs": value if value > 0 else -value,
            "relu": value * positive,
            "sign": 1 if value > 0 else -1,
            "slope": 1 if value > 0 else -1,
            "step": positive,
        }
        return known[name]
    if name in ("exp", "log") and (name == "exp" or value > 0):
        try:
            return getattr(math, name)(value)
        except OverflowError:
            return None
    return None
