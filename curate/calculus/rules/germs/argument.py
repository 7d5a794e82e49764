"""What of a graph is a function of one argument, elementwise: that function, of `T`."""

from __future__ import annotations

import functools
from fractions import Fraction

from curate.calculus.graph.algebra import multiply
from curate.calculus.graph.node import Node, Number, Term, intern, number
from curate.calculus.graph.sums import total
from curate.calculus.rules.germs.series import T

_POWERS = 4
"""Products of so many equal factors are written out, not as powers."""


def product(functions: list[Node]) -> Node:
    """The product of functions of T, as it stands."""
    return functions[0] if len(functions) == 1 else summed([(1, functions)])


def summed(terms: list[tuple[Number, list[Node]]]) -> Node:
    """The sum of numbers times products of functions of T, as it stands."""
    return intern(
        "sum", (), data=tuple(Term(number(c), tuple((f, ()) for f in fs), ()) for c, fs in terms)
    )


def is_norm(u: Node) -> bool:
    """Whether it is a norm or an absolute value, or a product with one."""
    if len(u.terms) != 1:
        return False
    ((_, factors, out),) = u.terms
    norms = [f for f in factors if f[0].kind == "map" and f[0].data in ("root", "abs")]
    return len(norms) == 1 and norms[0][1] == out and len(set(out)) == len(out)


class Argument:
    """An argument u.

    Attributes:
        u: the argument.
        shifted: v of ``u = a v + c``.
        square: ``u^2`` where u is a norm or an absolute value, or a product with one, else None.
    """

    def __init__(self, u: Node) -> None:
        self.u = u
        self.square = multiply(u, u) if is_norm(u) else None
        self._written = {multiply(*[u] * k): product([T] * k) for k in range(1, _POWERS + 1)}
        if self.square is not None:
            self._written[self.square] = product([T, T])
        self.shifted, functions = _shifted(u)
        self._written |= functions
        self._known: dict[Node, Node | None] = dict(self._written)

    def function(self, node: Node) -> Node | None:
        """The function of T that the node is of u; None where it is none."""
        if node not in self._known:
            self._known[node] = self._function(node)
        return self._known[node]

    def _function(self, node: Node) -> Node | None:
        if node.kind == "sum" and node.shape == self.u.shape:
            return self._of_sum(node)
        if node.kind not in ("map", "power", "germ"):
            return None
        if node.kind == "power" and node.args[0] is self.square:
            return intern("power", (), (T,), number(2 * node.data))
        inner = tuple(f for operand in node.args if (f := self.function(operand)) is not None)
        return intern(node.kind, (), inner, node.data) if len(inner) == len(node.args) else None

    def _of_sum(self, node: Node) -> Node | None:
        terms: list[tuple[Number, list[Node]]] = []
        left: list[Term] = []
        for term in node.data:
            factors = self._factors(term)
            if factors is None:
                left.append(term)
            else:
                terms.append((term.coefficient, factors))
        while left:  # u, or a power of it, whose factors are written out
            found = self._multiple(left)
            if found is None:
                return None
            by, function, used = found
            terms.append((by, [function]))
            left = [term for term in left if term not in used]
        return summed(terms)

    def _factors(self, term: Term) -> list[Node] | None:
        if len(set(term.out)) < len(term.out):
            return None
        found = []
        for node, labels in term.factors:
            function = self.function(node) if labels == term.out else None
            if function is None:
                return None
            found.append(function)
        return found

    def _multiple(self, left: list[Term]) -> tuple[Number, Node, list[Term]] | None:
        """A number, a function of u, and the terms that they are together."""
        for node, function in self._written.items():
            for term in left:
                if term[1:] != node.terms[0][1:]:
                    continue
                by = _ratio(term.coefficient, node.terms[0].coefficient)
                used = [Term(number(by * c), factors, out) for c, factors, out in node.terms]
                if all(part in left for part in used):
                    return by, function, used
        return None


def _shifted(u: Node) -> tuple[Node | None, dict[Node, Node]]:
    """v of an argument ``u = a v + c``, and v as a function; no v where c is 0.

    The function ``(T - c) / a`` is opaque then, as it is read from v: u lacks digits of a small v.
    """
    constants = [term for term in u.terms if not term.factors]
    rest = [term for term in u.terms if term.factors]
    if not rest or u.kind != "sum" or any(len(set(term.out)) < len(term.out) for term in u.terms):
        return None, {}
    a = rest[0].coefficient if len(rest) == 1 else 1
    v = total(u.shape, [(_ratio(c, a), factors, out) for c, factors, out in rest])
    if not constants:
        return None, {} if v is u else {v: summed([(_ratio(1, a), [T])])}
    shift = summed([(_ratio(1, a), [T]), (-_ratio(constants[0].coefficient, a), [])])
    return v, {v: intern("opaque", (), (shift,))}


def _ratio(a: Number, b: Number) -> Number:
    exact = isinstance(a, int | Fraction) and isinstance(b, int | Fraction)
    return number(Fraction(a) / Fraction(b) if exact else a / b)


argument_of = functools.lru_cache(maxsize=1 << 8)(Argument)
"""The argument that is a node, with what is known of it so far."""
