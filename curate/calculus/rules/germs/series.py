"""Power series at 0 of functions of one variable, coefficient by coefficient as they are asked for.

A series may be defined by itself, as its next coefficient needs earlier ones only (McIlroy, "Power
series, power serious", 1999). So a map needs its value at 0 and its derivative, which
elementwise.py has: ``g = f(h)`` solves ``g' = f'(h) h'``. Powers follow Miller's recurrence.

Numbers have 60 digits. What is left of a sum by rounding is 0: at most 1e-30 of its largest part.
"""

from __future__ import annotations

import decimal
import functools
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction

from curate.calculus.graph.algebra import constant, constant_value
from curate.calculus.graph.node import Node, Number, Term, intern, number
from curate.calculus.rules.elementary import elementary
from curate.calculus.rules.maps import partials

T = intern("variable", (), data=("t", None))
"""The variable of the functions."""
_DIGITS, _ROUNDING = 60, Decimal("1e-30")
_ORDERS = 20
"""Up to which power of the variable something is looked for that does not vanish."""
_ZERO = Decimal(0)
_NOT_ANALYTIC = (
    "abs", "slope", "slope_or_nan", "kink", "sign", "relu", "step", "root", "rsqrt_or_zero",
    "rsqrt_or_nan", "anchor", "capped", "log_size", "log_or_zero",
)  # fmt: skip


class NoSeriesError(Exception):
    """The function has no series at 0 with a finite number of negative powers, or none is known."""


class Series:
    """``sum_k self[k] t^k`` from ``k = start`` on; what ``rule(k)`` gives is kept.

    Attributes:
        functions: the series of functions of this one, by the functions of T that they are.
    """

    def __init__(self, start: int, rule: Callable[[int], Decimal]) -> None:
        self.start, self._rule = start, rule
        self._known: dict[int, Decimal] = {}  # by place, as threads may write one twice
        self.functions: dict[Node, Series] = {T: self}

    def __getitem__(self, k: int) -> Decimal:
        for place in range(self.start + len(self._known), k + 1):
            self._known[place] = self._rule(place)
        return self._known.get(k, _ZERO)

    def order(self) -> int:
        """The least power with a coefficient other than 0.

        Raises:
            NoSeriesError: there is none among the first ones.
        """
        for k in range(self.start, self.start + _ORDERS):
            if self[k]:
                return k
        raise NoSeriesError


@functools.lru_cache(maxsize=1 << 12)
def order(function: Node) -> int | None:
    """The order of a function of T at 0, negative at a pole; None where that is not known."""
    try:
        with decimal.localcontext(prec=_DIGITS):
            return series(function).order()
    except (NoSeriesError, ArithmeticError):
        return None


def coefficients(function: Node, count: int) -> list[Decimal]:
    """The first coefficients of a function of T without a pole at 0, from that of ``T^0`` on."""
    with decimal.localcontext(prec=_DIGITS):
        found = series(function)
        return [found[k] for k in range(count)]


@functools.lru_cache(maxsize=1 << 10)
def series(function: Node) -> Series:
    """The series of a function of T.

    Raises:
        NoSeriesError: there is none, or none is known.
    """
    return _series(function, Series(0, lambda k: Decimal(k == 1)))


def _series(node: Node, at: Series) -> Series:
    """The series of a function of T where that is a series itself."""
    if node in at.functions:
        return at.functions[node]
    if node.kind == "sum":
        found = _sum([(_decimal(term.coefficient), _product(term, at)) for term in node.data])
    elif node.kind == "opaque":
        found = _series(node.args[0], at)
    elif node.kind == "power":
        found = _power(_series(node.args[0], at), node.data)
    elif node.kind == "map" and node.args == (T,):
        found = _map(node, at)
    elif node.kind == "map" and len(node.args) == 1:
        found = _series(intern("map", (), (T,), node.data), _series(node.args[0], at))
    elif node.data == "xlogy":
        factor, argument = node.args
        found = _times(_series(factor, at), _series(elementary("log", argument), at))
    elif node.kind == "germ":
        found = _composed(taylor_of_germ(node), _series(node.args[0], at))
    else:
        raise NoSeriesError
    at.functions[node] = found
    return found


def _decimal(value: Number) -> Decimal:
    if isinstance(value, Fraction):
        return Decimal(value.numerator) / Decimal(value.denominator)
    return Decimal(value)


def _total(parts: Iterable[Decimal]) -> Decimal:
    """The sum; 0 where only rounding is left of it."""
    total = largest = _ZERO
    for part in parts:
        total += part
        largest = max(largest, abs(part))
    return total if abs(total) > _ROUNDING * largest else _ZERO


def _sum(parts: list[tuple[Decimal, Series]]) -> Series:
    start = min((part.start for _, part in parts), default=0)
    return Series(start, lambda k: _total(c * part[k] for c, part in parts if part[k]))


def _product(term: Term, at: Series) -> Series:
    factors = [_series(factor, at) for factor, _ in term.factors]
    return functools.reduce(_times, factors) if factors else _number(Decimal(1))


def _number(value: Decimal) -> Series:
    return Series(0, lambda k: value if k == 0 else _ZERO)


def _times(a: Series, b: Series) -> Series:
    def rule(k: int) -> Decimal:
        places = range(a.start, k - b.start + 1)
        return _total(a[i] * b[k - i] for i in places if a[i])

    return Series(a.start + b.start, rule)


def _slope(a: Series) -> Series:
    """The derivative."""
    start = a.start - 1 if a.start else 0
    return Series(start, lambda k: (k + 1) * a[k + 1])


def _power(base: Series, exponent: Number) -> Series:
    least = base.order()
    if least and not isinstance(exponent, int):
        raise NoSeriesError  # sqrt(t^2) is |t|
    p, first, start = _decimal(exponent), base[least], int(least * exponent)

    def rule(k: int) -> Decimal:
        n = k - start
        if n == 0:
            return _power_of_number(first, exponent)
        parts = ((p * j - (n - j)) * base[least + j] * power[k - j] for j in range(1, n + 1))
        return _total(parts) / (n * first)

    power = Series(start, rule)
    return power


def _power_of_number(value: Decimal, exponent: Number) -> Decimal:
    if isinstance(exponent, int):
        return value**exponent
    if value <= 0:
        raise NoSeriesError
    return Decimal(float(value) ** float(exponent))  # as the text's own constants are


def _map(node: Node, inner: Series) -> Series:
    name = node.data
    if name in _NOT_ANALYTIC or any(inner[k] for k in range(inner.start, 0)):
        raise NoSeriesError
    first = constant_value(elementary(name, constant(number(_exact(inner[0])))))
    if first is None:
        raise NoSeriesError
    function = Series(0, lambda k: _decimal(first) if k == 0 else slope[k - 1] / k)
    inner.functions[node] = function  # its derivative may hold it
    if name == "sigmoid":  # whose derivative in elementwise.py has a sigmoid of -u
        derivative = _sum([(Decimal(1), function), (Decimal(-1), _times(function, function))])
    else:
        derivative = _series(partials(node)[0], inner)
    slope = _times(derivative, _slope(inner))
    return function


def _exact(value: Decimal) -> Fraction | float:
    """A number that was a float as it was, any other one as it is."""
    return float(value) if Decimal(float(value)) == value else Fraction(value)


def _falling(k: int, n: int) -> int:
    return functools.reduce(lambda product, j: product * (k - j), range(n), 1)


def _composed(outer: Callable[[int], Decimal], inner: Series) -> Series:
    """``sum_k outer(k) inner^k``, where the inner series is 0 at 0."""
    least = inner.order()
    if least < 1:
        raise NoSeriesError
    powers = {0: _number(Decimal(1))}

    def rule(k: int) -> Decimal:
        for j in range(len(powers), k // least + 1):
            powers[j] = _times(powers[j - 1], inner)
        return _total(outer(j) * powers[j][k] for j in range(k // least + 1))

    return Series(0, rule)


def taylor_of_germ(node: Node) -> Callable[[int], Decimal]:
    """The coefficients of a germ (rules/germs/germ.py) as a function of its argument."""
    function, n, even = node.data
    inner = series(function)
    return lambda k: _falling(k + n, n) * inner[(k + n) * (2 if even else 1)]
