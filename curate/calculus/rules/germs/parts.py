"""An argument ``u = c a x`` or ``u = A x`` that products hold by its factors, not as u."""

from __future__ import annotations

from fractions import Fraction

from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, intern, number
from curate.calculus.rules.maps import power

Parts = tuple[Number, int, Factors]


def parted(factors: Factors, u: Node, labels: Labels, sign: int) -> Parts | None:
    """The first factor ``y^k`` with ``u = c y q`` as ``u^k (c q)^-k``, k having this sign.

    Returns:
        A number, k, and the factors besides ``u^k``.
    """
    if len(u.terms) > 1 or u.kind != "sum":
        return None
    ((c, inner, out),) = u.data
    names = dict(zip(out, labels, strict=True))
    if len(names) < len(out) or any(i not in names for _, own in inner for i in own):
        return None
    placed = [(q, tuple(names[i] for i in own)) for q, own in inner]
    for at, (node, axes) in enumerate(factors):
        y, k = (node.args[0], node.data) if node.kind == "power" else (node, 1)
        if (y, axes) not in placed and node.kind == "power":  # of a norm
            y, k = intern("map", node.shape, node.args, "root"), number(2 * k)
        if (y, axes) in placed and isinstance(k, int) and k * sign > 0:
            placed.remove((y, axes))
            rest = tuple(f for i, f in enumerate(factors) if i != at)
            return Fraction(c) ** -k, k, (*rest, *((power(q, -k), own) for q, own in placed))
    return None


def gathered(factors: Factors, u: Node, labels: Labels, out: Labels) -> Parts | None:
    """The factors of a product u as that; of a contraction, where nothing else reads its sums."""
    if u.kind != "sum" or len(u.data) != 1:
        return None
    ((c, inner, own),) = u.data
    names, rest = dict(zip(own, labels, strict=True)), list(factors)
    for node, axes in inner:
        for other in rest:
            pairs = list(zip(axes, other[1], strict=False))
            if other[0] is node and all(names.get(i, label) == label for i, label in pairs):
                names.update(pairs)
                rest.remove(other)
                break
        else:
            return None
    summed = {label for i, label in names.items() if i not in own}
    if summed & set(out).union(*(axes for _, axes in rest)):
        return None
    return 1 / Fraction(c), 1, tuple(rest)
