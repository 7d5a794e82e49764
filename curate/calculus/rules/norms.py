"""Norms: roots of sums of squares, whose derivative at 0 is 0 by convention.

A norm is ``root(s)`` with ``s = sum v v`` over one node v, so that products can be recognised in
which it has a limit at 0 (graph/kinks.py, rules/singular.py).
"""

from __future__ import annotations

import math
from fractions import Fraction

from curate.calculus.graph.algebra import constant_value, einsum, scale
from curate.calculus.graph.node import Labels, Node, Number, intern
from curate.calculus.graph.signs import nonnegative
from curate.calculus.graph.sums import total
from curate.calculus.rules.elementary import elementary


def norm(u: Node, kept: Labels = ()) -> Node:
    """The root of the sum of squares over the axes that are not kept."""
    axes = tuple(range(u.order))
    shape = tuple(u.shape[axis] for axis in kept)
    if len(u.terms) != 1 or len(set(u.terms[0].out)) < len(u.terms[0].out):
        first: Number = u.terms[0].coefficient if u.terms else 1
        v = scale(1 / Fraction(first), u)  # so that x - z and z - x have one norm
        return scale(
            first if first > 0 else -first,
            elementary("root", einsum(shape, kept, (v, axes), (v, axes))),
        )
    ((coefficient, factors, out),) = u.terms
    scalars = [factor for factor in factors if not factor[1]]
    rest = tuple(factor for factor in factors if factor[1])
    v = total(u.shape, [(1, rest, out)])
    if v.kind == "sum" and v.order:
        v = intern("opaque", v.shape, (v,))  # one factor in products
    root = elementary("root", einsum(shape, kept, (v, axes), (v, axes)))
    outside = [(elementary("abs", node), ()) for node, _ in scalars]
    size: Number = coefficient if coefficient > 0 else -coefficient
    return scale(size, einsum(shape, tuple(range(len(kept))), (root, tuple(range(len(kept)))),
                              *outside))  # fmt: skip


def absolute(u: Node) -> Node:
    """``|u|``; ``|-u|`` is ``|u|``, ``|3 u|`` is ``3 |u|``, and u where it is never negative."""
    if constant_value(u) is not None:
        return elementary("abs", u)
    if nonnegative(u):
        return u
    sign = -1 if u.terms and u.terms[0].coefficient < 0 else 1
    v = u if sign > 0 else scale(-1, u)
    if len(v.terms) == 1 and v.terms[0].coefficient != 1:
        factor = v.terms[0].coefficient
        return scale(factor, absolute(scale(1 / Fraction(factor), v)))
    if v.kind == "sum" and len(v.terms) == 1:
        v = intern("opaque", v.shape, (v,))  # one factor in products
    return elementary("abs", v)


def root_of_squares(u: Node) -> Node | None:
    """The norm that ``u ** (1/2)`` is, where u is one sum of squares, as in sqrt(sum(x.^2))."""
    if u.kind != "sum" or len(u.data) != 1:
        return None
    ((coefficient, factors, out),) = u.data
    if coefficient <= 0 or len(set(out)) < len(out) or not factors:
        return None
    half: list[tuple[Node, Labels]] = []
    left = list(factors)
    while left:
        node, labels = left.pop()
        if (node, labels) in left:
            left.remove((node, labels))
            half.append((node, labels))
        elif node.kind == "power" and isinstance(node.data, int) and node.data % 2 == 0:
            root = node.args[0] if node.data == 2 else None
            half.append((root or intern("power", node.shape, node.args, node.data // 2), labels))
        else:
            return None
    dims = {i: dim for node, labels in half for i, dim in zip(labels, node.shape, strict=True)}
    if not set(out) <= set(dims):
        return None
    axes = (*out, *(i for i in dims if i not in out))
    v = total(tuple(dims[i] for i in axes), [(1, tuple(half), axes)])
    size = _root(coefficient)
    if len(axes) == len(out):
        return scale(size, absolute(v))
    return scale(size, norm(v, tuple(range(len(out)))))


def _root(value: Number) -> Number:
    exact = Fraction(value) if isinstance(value, int | Fraction) else None
    if exact is not None:
        top, bottom = math.isqrt(exact.numerator), math.isqrt(exact.denominator)
        if top * top == exact.numerator and bottom * bottom == exact.denominator:
            return Fraction(top, bottom)
    return math.sqrt(value)


def transparent(node: Node) -> Node:
    """What an opaque node stands for; any other node itself."""
    return node.args[0] if node.kind == "opaque" else node


def transparent_square(s: Node) -> Node:
    """``sum v v`` with an opaque v written out, so that it joins other products."""
    if s.kind != "sum" or not any(factor.kind == "opaque" for factor, _ in s.data[0].factors):
        return s
    terms = (
        (c, tuple((transparent(node), labels) for node, labels in factors), out)
        for c, factors, out in s.data
    )
    return total(s.shape, terms)
