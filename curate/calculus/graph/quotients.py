"""Quotients of two things that vanish together: maps over their arguments, and the other way round.

``sin(u) / u`` has a limit where u is 0, and so have its derivatives: it is ``sin_ratio0(u)``, a map
of its own, and ``u / sin(u)`` is ``sin_inverse0(u)``. ``(1 - cos(u)) / u^2`` is one by half the
angle, ``log(1 + u) / u`` by log1p. Of a norm ``r = norm2(x)``, ``tanh(r) / r`` is a power series in
``r^2``, so it is smooth in x, too: ``tanh_over0(r^2)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

from curate.calculus.elementwise import MAPS
from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, intern, number

Total = Callable[..., Node]
_RATIOS = {name: f"{name}_ratio0" for name in MAPS if f"{name}_ratio0" in MAPS}
_INVERSES = {name: f"{name}_inverse0" for name in _RATIOS}
_SMOOTH = {name: f"{name}_over0" for name in MAPS if f"{name}_over0" in MAPS} | {"sin": "sphere1"}


class _Vanishing(NamedTuple):
    """``coefficient * base^exponent`` where the base is ``name(u)``, which is 0 where u is 0."""

    coefficient: Number
    base: Node
    exponent: int
    name: str
    u: Node


class _Divisor(NamedTuple):
    """``u = coefficient * y * others``, axes being those of y among the axes of u."""

    coefficient: Number
    y: Node
    axes: Labels
    others: Factors


def quotient(factors: Factors, out: Labels, total: Total) -> tuple[Number, Factors] | None:
    """The product with the first quotient in it as the map that it is; None where there is none."""
    for k, (node, labels) in enumerate(factors):
        rest = factors[:k] + factors[k + 1 :]
        for vanishing in _vanishing(node, rest, total):
            for divisor in divisors(vanishing.u):
                outer = tuple(labels[axis] for axis in divisor.axes)
                if vanishing.exponent > 0:
                    found = _times(rest, divisor.y, outer, total)
                    if found is None and vanishing.exponent == 1:
                        found = _squared(rest, divisor.y, outer)
                else:
                    found = _over(rest, divisor.y, outer) or _uncontracted(
                        rest, divisor.y, outer, out
                    )
                if found is None and vanishing.exponent > 0:
                    found = _shared(rest, divisor.y, outer, total)
                if found is not None:
                    return _replaced(vanishing, divisor, labels, *found, total)
    return None


def _shared(
    factors: Factors, y: Node, labels: Labels, total: Total
) -> tuple[Number, Factors] | None:
    """The factors times y, where one over something that vanishes with it is among them."""
    for k, (node, axes) in enumerate(factors):
        for vanishing in _vanishing(node, factors[:k] + factors[k + 1 :], total):
            if vanishing.exponent < 0 and any(
                tuple(axes[axis] for axis in divisor.axes) == labels and divisor.y is y
                for divisor in divisors(vanishing.u)
            ):
                return 1, (*factors, (y, labels))
    return None


def _replaced(
    found: _Vanishing,
    divisor: _Divisor,
    labels: Labels,
    ratio: Number,
    rest: Factors,
    total: Total,
) -> tuple[Number, Factors]:
    """The product after one factor of the base has become its ratio to ``y = ratio * b``."""
    sign = 1 if found.exponent > 0 else -1
    u, axes = found.u, tuple(range(found.u.order))
    if found.name in _SMOOTH and _is_norm(divisor.y):
        square = total(u.shape, [(1, ((u, axes), (u, axes)), axes)])
        over = intern("map", u.shape, (square,), _SMOOTH[found.name])
        smooth = _power(over, sign, labels)
    else:
        name = (_RATIOS if sign > 0 else _INVERSES)[found.name]
        smooth = ((intern("map", u.shape, (u,), name), labels),)
    outside = tuple((q, tuple(labels[axis] for axis in own)) for q, own in divisor.others)
    factor = Fraction(divisor.coefficient) * Fraction(ratio)
    if any(isinstance(c, float) for c in (divisor.coefficient, ratio)):
        factor = float(factor)  # type: ignore[assignment]
    return number(found.coefficient * factor**sign), (
        *rest,
        *_power(found.base, found.exponent - sign, labels),
        *smooth,
        *(f for q, own in outside for f in _power(q, sign, own)),
    )


def _vanishing(node: Node, rest: Factors, total: Total) -> Iterator[_Vanishing]:
    """The ways to see a factor as a power of a map that is 0 where its argument is."""
    base, exponent = (node.args[0], node.data) if node.kind == "power" else (node, 1)
    if not isinstance(exponent, int):
        return
    if base.kind == "map" and base.data in _RATIOS:
        yield _Vanishing(1, base, exponent, base.data, base.args[0])
    elif base.kind == "map" and base.data == "log" and _one_and_more(base.args[0]):
        w = base.args[0]
        less = total(w.shape, [*w.terms, (-1, (), tuple(range(w.order)))])
        yield _Vanishing(1, base, exponent, "log1p", less)
    elif (cosine := _one_less_cosine(base)) is not None and (
        exponent < 0 or any(_is_power(f) for f, _ in rest)
    ):
        coefficient, v = cosine
        half = total(v.shape, [(Fraction(1, 2) * c, f, out) for c, f, out in v.terms])
        sine = intern("map", v.shape, (half,), "sin")
        factor = Fraction(2 * coefficient) if isinstance(coefficient, int) else 2 * coefficient
        yield _Vanishing(number(factor**exponent), sine, 2 * exponent, "sin", half)


def _one_and_more(w: Node) -> bool:
    """Whether w is ``1 + u`` as it is written."""
    return w.kind == "sum" and len(w.data) > 1 and any(
        not term.factors and term.coefficient == 1 and len(set(term.out)) == w.order
        for term in w.data
    )  # fmt: skip


def _one_less_cosine(node: Node) -> tuple[Number, Node] | None:
    """c and v of ``c - c cos(v)``."""
    if node.kind != "sum" or len(node.data) != 2:
        return None
    constant, other = sorted(node.data, key=lambda term: len(term.factors))
    if constant.factors or len(other.factors) != 1 or constant.out != other.out:
        return None
    ((cosine, labels),) = other.factors
    axes = tuple(range(node.order))
    if cosine.kind != "map" or cosine.data != "cos" or not labels == axes == other.out:
        return None
    opposite = other.coefficient == -constant.coefficient
    return (constant.coefficient, cosine.args[0]) if opposite else None


def divisors(u: Node) -> Iterator[_Divisor]:
    """What u may be divided by: itself, and the factors of its only term."""
    axes = tuple(range(u.order))
    if u.kind != "sum":
        yield _Divisor(1, u, axes, ())
        return
    if len(u.data) == 1:
        ((coefficient, inner, out),) = u.data
        if len(set(out)) == len(out) and all(set(own) <= set(out) for _, own in inner):
            placed = tuple((q, tuple(out.index(i) for i in own)) for q, own in inner)
            for at, (y, own) in enumerate(placed):
                yield _Divisor(coefficient, y, own, placed[:at] + placed[at + 1 :])
            return
    yield _Divisor(1, u, axes, ())


def _is_norm(y: Node) -> bool:
    return y.kind == "map" and y.data in ("root", "abs")


def _is_power(node: Node) -> bool:
    return node.kind == "power" and node.data <= -1


def _times(
    factors: Factors, y: Node, labels: Labels, total: Total
) -> tuple[Number, Factors] | None:
    """A number q and the factors times ``b = y / q``, where they hold one over it; else None.

    One over a norm is a negative power, or what a first derivative has: ``rsqrt_or_zero``, or the
    slope of an absolute value.
    """
    for k, (node, axes) in enumerate(factors):
        if axes != labels:
            continue
        rest = factors[:k] + factors[k + 1 :]
        if _is_norm(y) and node.kind == "map" and node.args[0] is y.args[0]:
            if (y.data, node.data) == ("root", "rsqrt_or_zero"):
                return 1, rest
            if node.data == "slope":
                return 1, (*rest, (y.args[0], labels))
        if node.kind != "power":
            continue
        (base,) = node.args
        if y.kind == "map" and y.data == "root" and base is y.args[0]:
            if node.data <= -Fraction(1, 2):
                return 1, (*rest, *_power(base, node.data + Fraction(1, 2), labels))
        elif node.data <= -1 and (ratio := _ratio(y, base)) is not None:
            return ratio, (*rest, *_power(base, node.data + 1, labels))
        elif node.data <= -1 and y.kind == "sum" and y.shape == base.shape:
            own = tuple(range(y.order))
            square = total(y.shape, [(1, ((y, own), (y, own)), own)])
            if (ratio := _ratio(square, base)) is not None:  # of a contraction
                power = (*_power(base, node.data + 1, labels), *_power(y, -1, labels))
                return ratio, (*rest, *power)
    return None


def _squared(factors: Factors, y: Node, labels: Labels) -> tuple[Number, Factors] | None:
    """The factors times a norm that they hold: ``r sin(r)`` is ``r^2 sphere1(r^2)``."""
    if _is_norm(y) and (y, labels) in factors:
        at = factors.index((y, labels))
        square = ((y.args[0], labels),) * (2 if y.data == "abs" else 1)
        return 1, (*factors[:at], *factors[at + 1 :], *square)
    return None


def _over(factors: Factors, y: Node, labels: Labels) -> tuple[Number, Factors] | None:
    """A number q and the factors over ``b = y / q``, where they hold it; else None."""
    for k, (node, axes) in enumerate(factors):
        if axes != labels:
            continue
        rest = factors[:k] + factors[k + 1 :]
        base, exponent = (node.args[0], node.data) if node.kind == "power" else (node, 1)
        if y.kind == "map" and y.data == "root" and base is y.args[0]:
            if exponent == 1:
                return 1, (*rest, (y, labels))
            if exponent > 1:
                return 1, (*rest, *_power(base, exponent - 1, labels), (y, labels))
        elif exponent >= 1 and (ratio := _ratio(y, base)) is not None:
            return ratio, (*rest, *_power(base, exponent - 1, labels))
        elif y.kind == "map" and y.data == "abs" and node is y.args[0] and (node, axes) in rest:
            at = rest.index((node, axes))
            return 1, (*rest[:at], *rest[at + 1 :], (y, labels))
    return None


def _uncontracted(
    factors: Factors, y: Node, labels: Labels, out: Labels
) -> tuple[Number, Factors] | None:
    """The factors over a contraction (A x) whose own factors are among them."""
    if y.kind != "sum" or len(y.data) != 1:
        return None
    ((coefficient, inner, own),) = y.data
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
    if summed.intersection(out, *(axes for _, axes in rest)):
        return None
    return coefficient, tuple(rest)


def _ratio(y: Node, base: Node) -> Number | None:
    """q with ``y = q base``; None where there is none."""
    if y is base:
        return 1
    if y.kind != "sum" or base.kind != "sum" or len(y.data) != len(base.data) or not y.data:
        return None
    one, other = (term.coefficient for term in (y.data[0], base.data[0]))
    exact = isinstance(one, int | Fraction) and isinstance(other, int | Fraction)
    ratio = number(Fraction(one) / Fraction(other) if exact else one / other)
    same = all(
        a[1:] == b[1:] and a.coefficient == number(ratio * b.coefficient)
        for a, b in zip(y.data, base.data, strict=True)
    )
    return ratio if same else None


def _power(base: Node, exponent: Number, labels: Labels) -> Factors:
    """The factors that make ``base ** exponent``."""
    exponent = number(exponent)
    if isinstance(exponent, int) and 0 <= exponent <= 4:
        return ((base, labels),) * exponent
    if base.kind == "power" and isinstance(exponent, int):
        return _power(base.args[0], base.data * exponent, labels)
    return ((intern("power", base.shape, (base,), exponent), labels),)
