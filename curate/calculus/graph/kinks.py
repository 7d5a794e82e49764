"""Products at a kink: of |u|, its slope, the slope's derivative, of a norm and of one over it.

``abs(u)`` and ``root(s)``, the norm with ``s = sum v v``, have the first derivatives
``slope(u)`` and ``v rsqrt_or_zero(s)``, which by convention are 0 at 0. The rules here are exact
wherever the product has a limit at 0, so that conventions leave no trace in it.
"""

from __future__ import annotations

from curate.calculus.graph.node import Labels, Node, intern

Factor = tuple[Node, Labels]
_NAMES = ("abs", "slope", "kink", "rsqrt_or_zero")


def kinks(factors: tuple[Factor, ...]) -> tuple[Factor, ...] | None:
    """The product after the first rule that applies; () where it is 0; None where none applies."""
    for k, (node, labels) in enumerate(factors):
        if node.kind != "map" or node.data not in _NAMES:
            continue
        u = node.args[0]
        for j, (other, axes) in enumerate(factors):
            if j == k or axes != labels:
                continue
            made = _product(node, u, other)
            if made is not None:
                if not made and node.data == "kink":
                    return ()
                rest = tuple(f for i, f in enumerate(factors) if i not in (k, j))
                return (*rest, *((each, labels) for each in made))
    return None


def _product(node: Node, u: Node, other: Node) -> list[Node] | None:
    """The factors that ``node * other`` is, node being a map of u; [] is 1 (for a kink: 0)."""
    inner = other.args[0] if other.kind in ("map", "power") else None
    name = other.data if other.kind == "map" else None
    if node.data == "abs":
        return [u, u] if other is node else None
    if node.data == "slope":
        if other is u:
            return [intern("map", u.shape, (u,), "abs")]
        if name == "abs" and inner is u:
            return [u]
        return [] if other is node else None
    if node.data == "kink":
        vanishes = other is u or (name == "abs" and inner is u)
        if other.kind == "power" and other.data > 0:
            (base,) = other.args
            vanishes = base is u or (base.data == "abs" and base.args[0] is u)
        return [] if vanishes else None
    if name == "root" and inner is u:
        return []
    return [intern("map", u.shape, (u,), "root")] if other is u else None
