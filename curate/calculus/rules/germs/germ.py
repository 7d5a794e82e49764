"""Functions of one argument that are smooth at 0 though the terms they are written in are not.

``(exp(u) - 1 - u) / u^2`` is such a germ: one node with the argument u, the function of `T` that it
is (rules/germs/series.py), and the number of its derivative. Near 0 it is summed as a power series,
elsewhere computed as it is written. Of an even function F, ``F(r)`` is a germ with the argument
``s = r^2``, so that it is smooth where r is a norm.
"""

from __future__ import annotations

import functools
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from curate.calculus.graph.algebra import multiply, scale
from curate.calculus.graph.node import Node, intern, walk
from curate.calculus.graph.sums import total
from curate.calculus.rules.derive import derivative
from curate.calculus.rules.germs.series import T, coefficients
from curate.calculus.rules.maps import power

_TERMS = 64
_TAIL = Decimal(2.0**-57)
"""What the last terms may be, beside the sum."""
_LOSS = 100
"""The sum of the terms' sizes, at most, beside that of the terms."""


class Sides(NamedTuple):
    """How a germ is computed.

    Attributes:
        series: the coefficients of its power series, from that of ``u^0`` on.
        radius: it is summed for ``|u|`` below it.
        far: the function of T that it is elsewhere.
        even: whether T is the root of the argument.
    """

    series: tuple[float, ...]
    radius: float
    far: Node
    even: bool


def germ(function: Node, u: Node, shifted: Node | None = None, *, even: bool = False) -> Node:
    """``function(u)``, for even ones ``function(sqrt(u))``.

    Args:
        shifted: what the opaque node in the function is, a multiple of u plus a number.
    """
    return intern("germ", u.shape, (u,) if shifted is None else (u, shifted), (function, 0, even))


@functools.lru_cache(maxsize=1 << 10)
def sides(function: Node, n: int, even: bool) -> Sides:
    """How the germ with these data is computed."""
    step = 2 if even else 1
    series = coefficients(function, step * (_TERMS + n))[::step]
    for _ in range(n):
        series = [k * a for k, a in enumerate(series)][1:]
    radius = _radius(series)
    return Sides(_needed(series, radius), float(radius), far(function, n, even), even)


def far(function: Node, n: int, even: bool) -> Node:
    """The function of T that a germ is away from 0."""
    if n == 0:
        return function
    slope = derivative(far(function, n - 1, even), T)
    return multiply(slope, scale(Fraction(1, 2), power(T, -1))) if even else slope


def _radius(series: list[Decimal]) -> Decimal:
    """Up to where the series can be summed, to the last digit; by halves of its logarithm."""
    low, high = -40.0, 40.0
    while high - low > 0.05:
        middle = (low + high) / 2
        exact = _is_exact(series, Decimal(2.0**middle))
        low, high = (middle, high) if exact else (low, middle)
    return Decimal(2.0**low)


def _is_exact(series: list[Decimal], r: Decimal) -> bool:
    terms = [a * r**k for k, a in enumerate(series)]
    sizes = [abs(term) for term in terms]
    even, odd = (sum(terms[first::2], Decimal(0)) for first in (0, 1))
    least = min(abs(even + odd), abs(even - odd))
    return max(sizes[-8:]) <= _TAIL * least and sum(sizes) <= _LOSS * least


def _needed(series: list[Decimal], radius: Decimal) -> tuple[float, ...]:
    """The coefficients that count up to the radius."""
    sizes = [abs(a) * radius**k for k, a in enumerate(series)]
    last = max((k for k, size in enumerate(sizes) if size > _TAIL * max(sizes) / 8), default=0)
    return tuple(float(a) for a in series[: last + 1])


def shown(node: Node) -> Node:
    """A germ as it is written: the function, elementwise, of its argument."""
    function, n, even = node.data
    u = node.args[0]
    axes, new = tuple(range(u.order)), {T: power(u, Fraction(1, 2)) if even else u}
    for below in walk(far(function, n, even)):
        if below.kind == "sum":
            terms = (
                (c, tuple((new[factor], axes) for factor, _ in factors), axes)
                for c, factors, _ in below.data
            )
            new[below] = total(u.shape, terms)
        elif below.kind == "opaque":
            new[below] = node.args[1]
        elif below is not T:
            new[below] = intern(below.kind, u.shape, tuple(new[a] for a in below.args), below.data)
    return new[below]
