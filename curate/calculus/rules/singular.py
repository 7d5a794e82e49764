"""Derivatives where a norm or an absolute value is 0: exact where there is a limit, else NaN.

By convention the first derivative of ``root(s)``, the norm with ``s = sum v v``, is
``v rsqrt_or_zero(s)``, 0 at 0, and that of ``abs(u)`` is ``slope(u)``, 0 at 0. A convention has no
place in a second derivative: added to smooth terms it gives a finite number that is wrong. So
after each derivative products are multiplied out, as far as they hold such factors, which
cancels those that have no limit (Matern kernels at coincident points); what is left of degree 0
or less in v has no limit, and from the second derivative on is NaN at 0. A term of positive degree
(``v v / root(s)``) has the limit 0, as the convention has it.
"""

from __future__ import annotations

from fractions import Fraction

from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, intern, number, scaled, walk
from curate.calculus.graph.sums import splice, total
from curate.calculus.rules.rebuild import reworked

_FIRST = ("slope", "rsqrt_or_zero")
_FAMILY = (*_FIRST, "root", "abs", "kink")
_MOST_TERMS = 400
_ROUNDING = 1e-14

Raw = tuple[Number, Factors, Labels]


def regularised(node: Node, *, first: bool) -> Node:
    """A derivative, right where norms and absolute values are 0.

    Args:
        first: whether it is a first derivative, for which the conventions hold.
    """
    if not any(n.kind == "map" and n.data in _FIRST for n in walk(node)):
        return node
    raws = _multiplied_out(node)
    if raws is None:
        return node if first else _loud(node)
    merged = _merged(node, raws)
    if first:
        return merged
    return total(node.shape, [_strict(*term) for term in merged.terms])


def _multiplied_out(node: Node) -> list[Raw] | None:
    """The terms without sums that hold norms among their factors; None where they are too many."""
    todo: list[Raw] = [(c, factors, out) for c, factors, out in node.terms]
    done: list[Raw] = []
    while todo:
        c, factors, out = _primitive(*todo.pop())
        at = next((k for k, f in enumerate(factors) if f[0].kind == "sum" and _holds(f[0])), None)
        if at is None:
            done.append((c, factors, out))
        else:
            inner, labels = factors[at]
            rest = factors[:at] + factors[at + 1 :]
            todo += [splice(c, rest, out, term, inner, labels) for term in inner.data]
        if len(todo) + len(done) > _MOST_TERMS:
            return None
    return done


def _primitive(c: Number, factors: Factors, out: Labels) -> Raw:
    """The term with sums among its factors divided by their first coefficient, so that they match.

    ``10 x - 10 z`` and ``x - z`` are two nodes otherwise.
    """
    changed = []
    for node, labels in factors:
        first = node.data[0].coefficient if node.kind == "sum" and node.data else 1
        if first != 1:
            c, node = c * first, scaled(1 / Fraction(first), node)
        changed.append((node, labels))
    return number(c), tuple(changed), out


def _holds(node: Node) -> bool:
    return any(
        (factor.kind == "map" and factor.data in _FAMILY)
        or (factor.kind == "sum" and _holds(factor))
        for term in node.data
        for factor, _ in term.factors
    )


def _merged(node: Node, raws: list[Raw]) -> Node:
    """The sum; what rounding leaves of terms without a limit that cancel is dropped."""
    whole = total(node.shape, raws)
    largest = max((abs(float(c)) for c, _, _ in (*raws, *whole.terms)), default=0.0)
    return total(
        node.shape,
        [
            (c, factors, out)
            for c, factors, out in whole.terms
            if abs(float(c)) > _ROUNDING * largest
            or not any(f.kind == "map" and f.data in _FIRST for f, _ in factors)
        ],
    )


def _strict(c: Number, factors: Factors, out: Labels) -> Raw:
    """A term of a higher derivative, NaN where it has no limit."""
    changed = []
    for node, labels in factors:
        loud = node.kind == "map" and node.data in _FIRST and _degree(node, labels, factors) <= 0
        changed.append((_or_nan(node) if loud else node, labels))
    return c, tuple(changed), out


def _degree(node: Node, labels: Labels, factors: Factors) -> int:
    """The degree of a product in v near ``v = 0``, where node is a slope or ``rsqrt_or_zero``."""
    (u,) = node.args
    if node.data == "slope":
        return sum(_is_abs_power(other, u) and axes == labels for other, axes in factors)
    same = [f for f in factors if f == (node, labels)]
    if u.kind != "sum" or len(u.data) != 1 or len(u.data[0].factors) != 2:
        return -len(same)
    (v, inner), (other, _) = u.data[0].factors
    if other is not v:
        return -len(same)
    places = [inner.index(label) for label in u.data[0].out]
    degree = 0
    for factor, axes in factors:
        if factor is v:
            degree += tuple(axes[k] for k in places) == labels
        elif not places:
            degree += _order_in(factor, v)
    return degree - len(same)


def _order_in(node: Node, v: Node) -> int:
    """At least how often v is multiplied in each term of a sum."""
    if node is v:
        return 1
    if node.kind != "sum" or not node.data:
        return 0
    return min(sum(_order_in(factor, v) for factor, _ in term.factors) for term in node.data)


def _is_abs_power(node: Node, u: Node) -> bool:
    if node.kind == "power" and node.data > 0:
        (node,) = node.args
    return node is u or (node.kind == "map" and node.data == "abs" and node.args[0] is u)


def _or_nan(node: Node) -> Node:
    name = "slope_or_nan" if node.data == "slope" else "rsqrt_or_nan"
    return intern("map", node.shape, node.args, name)


def _loud(root: Node) -> Node:
    """The graph with NaN for every convention in it, where there are too many terms to look at."""
    return reworked(
        root, lambda node: _or_nan(node) if node.kind == "map" and node.data in _FIRST else node
    )
