"""Functions of norms and absolute values r that are smooth in ``r^2``, as the even ones are.

``cosh(r)``, ``r tanh(r)`` and ``sinh(r)^2`` are; as functions of r they have no second derivative
by the rules where r is 0. Even functions are germs of the square (rules/germs/germ.py).
"""

from __future__ import annotations

from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, intern, walk
from curate.calculus.graph.sums import total
from curate.calculus.rules.germs.argument import Argument, argument_of, is_norm, product
from curate.calculus.rules.germs.germ import germ
from curate.calculus.rules.germs.parts import parted
from curate.calculus.rules.germs.series import T, coefficients, order
from curate.calculus.rules.rebuild import reworked

_KNOWN = 24
"""Coefficients that tell whether a function is even or odd."""
Raw = tuple[Number, Factors, Labels]


def over_power(function: Node, exponent: int) -> Node:
    """A function of T over a power of T."""
    return product([function, intern("power", (), (T,), -exponent)])


def smooth(function: Node, argument: Argument) -> list[Node]:
    """The factors that make a function of the argument without a pole at 0."""
    if argument.square is not None:
        parity = _parity(function)
        if parity == 0:
            return [germ(function, argument.square, even=True)]
        if parity == 1:
            return [argument.u, germ(over_power(function, 1), argument.square, even=True)]
    return [germ(function, argument.u, argument.shifted)]


def _parity(function: Node) -> int | None:
    """0 for an even function, 1 for an odd one, None for any other and where it has a pole."""
    at_0 = order(function)
    if at_0 is None or at_0 < 0:
        return None
    known = coefficients(function, _KNOWN)
    other = known[1 - at_0 % 2 :: 2]
    return None if any(other) else at_0 % 2


def smooth_norms(root: Node) -> Node:
    """The graph with germs where products are even functions of a norm."""
    return reworked(root, _smooth) if any(map(_of_norm, walk(root))) else root


def _smooth(node: Node) -> Node:
    if node.kind != "sum" and not _of_norm(node):
        return node
    terms = [_of_product(*term) for term in node.terms]
    return node if terms == list(node.terms) else total(node.shape, terms)


def _of_norm(node: Node) -> bool:
    """Whether it is a map of a norm or absolute value, or of a product with one."""
    return node.kind == "map" and len(node.args) == 1 and is_norm(node.args[0])


def _of_product(c: Number, factors: Factors, out: Labels) -> Raw:
    for node, labels in factors:
        if _of_norm(node):
            (u,) = node.args
            inner = u.terms[0].factors
            found = _even(factors, labels, argument_of(inner[0][0] if len(inner) == 1 else u))
            if found is not None:
                return _of_product(c * found[0], found[1], out)
    return c, factors, out


def _even(factors: Factors, labels: Labels, argument: Argument) -> tuple[Number, Factors] | None:
    """A number and the factors, those that are even functions of the norm together in a germ."""
    functions = [argument.function(node) if axes == labels else None for node, axes in factors]
    members: dict[int, list[tuple[Node, tuple[Node, Labels]]]] = {0: [], 1: []}
    rest: Factors = ()
    for function, factor in zip(functions, factors, strict=True):
        parity = None if function is None else _parity(function)
        if function is None or parity is None or not _has_norm(factor[0]):
            rest = (*rest, factor)
        else:
            members[parity].append((function, factor))
    even, odd = members[0], members[1]
    odd.sort(key=lambda member: member[0] is T)
    by: Number = 1
    if len(odd) % 2:
        written = parted(rest, argument.u, labels, 1)
        if written is not None and written[1] == 1:
            by, _, rest = written
            odd.append((T, (argument.u, labels)))
        else:
            rest = (*rest, odd.pop()[1])
    whole = [function for function, _ in (*even, *odd)]
    assert argument.square is not None
    if any(function is not T for function in whole):
        return by, (*rest, (germ(product(whole), argument.square, even=True), labels))
    for k, function in enumerate(functions):  # r log1p(r) is r^2 times a germ
        if function in (None, T) or (argument.u, labels) not in rest:
            continue
        if function is not None and (order(function) or 0) > 0:
            rest = tuple(f for i, f in enumerate(factors) if f[0] is not argument.u and i != k)
            germs = argument.square, germ(over_power(function, 1), argument.u)
            return 1, (*rest, *((node, labels) for node in germs))
    return None


def _has_norm(node: Node) -> bool:
    return any(below.kind == "map" and below.data in ("root", "abs") for below in walk(node))
