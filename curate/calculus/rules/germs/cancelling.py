"""Poles that cancel: quotients of differences, and differences of quotients, as the germs they are.

``(x - sin(x)) / x^3`` and ``1/tanh(x) - 1/x`` have limits where x is 0, and so have their
derivatives, but their terms have not, and beside 0 digits are lost. Where the factors of a product
or the terms of a sum are functions of one argument, their power series tell whether the poles
cancel; then they become one germ (rules/germs/germ.py). What has no such series is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from curate.calculus.graph.algebra import constant_value, multiply
from curate.calculus.graph.canonical import Factors
from curate.calculus.graph.node import Labels, Node, Number, intern, walk
from curate.calculus.graph.products import simplified
from curate.calculus.graph.signs import above_0
from curate.calculus.graph.sums import total
from curate.calculus.rules.germs.argument import Argument, argument_of, product, summed
from curate.calculus.rules.germs.even import over_power, smooth
from curate.calculus.rules.germs.parts import gathered, parted
from curate.calculus.rules.germs.series import T, order
from curate.calculus.rules.maps import power
from curate.calculus.rules.norms import root_of_squares
from curate.calculus.rules.rebuild import reworked

_MOST_ARGUMENTS = 8
Raw = tuple[Number, Factors, Labels]


def without_poles(root: Node) -> Node:
    """The graph with germs where poles cancel."""
    if not any(_has_pole(node) or _is_log_of_quotient(node) for node in walk(root)):
        return root
    return reworked(root, _without_poles)


def _without_poles(node: Node) -> Node:
    if node.kind == "sum":
        return _of_sum(node)
    return _of_logarithm(node) if _is_log_of_quotient(node) else node


def _has_pole(node: Node) -> bool:
    return node.kind == "power" and node.data < 0 and not above_0(node.args[0])


def _is_log_of_quotient(node: Node) -> bool:
    return (node.kind == "map" and node.data == "log") and any(
        _has_pole(below) or below.kind == "germ" for below in walk(node.args[0])
    )


def _of_logarithm(node: Node) -> Node:
    """``log(sinh(u) / u)``, and its like, that is 0 where u is 0."""
    for argument in _arguments([node.args[0]], node.order):
        function = argument.function(node)
        if function is not None and (order(function) or 0) > 0:
            return multiply(*smooth(function, argument))
    return node


def _of_sum(node: Node) -> Node:
    terms: list[Raw] = [_of_product(*term) for term in node.data]
    while (joined := _joined(terms)) is not None:
        terms = joined
    return node if terms == list(node.data) else total(node.shape, terms)


def _arguments(nodes: Iterable[Node], axes: int) -> Iterator[Argument]:
    """What nodes with so many axes may be functions of: norms first, then from the inside."""
    found: dict[Node, None] = {}
    seen: set[Node] = set()

    def collect(node: Node) -> None:
        if node in seen:
            return
        seen.add(node)
        if node.kind == "map" and node.data in ("root", "abs"):
            found.setdefault(node)
        elif node.kind in ("map", "power", "germ"):
            for operand in node.args:
                collect(operand)
            if node.kind == "power" and not isinstance(node.data, int):
                norm = root_of_squares(node.args[0])
                if norm is not None and norm.kind == "map":
                    found.setdefault(norm)
        else:
            for _, factors, out in node.terms if node.kind == "sum" else ():
                for factor, labels in factors:
                    if labels == out:
                        collect(factor)
            if constant_value(node) is None:
                found.setdefault(node)

    for node in nodes:
        collect(node)
    fitting = sorted((u for u in found if u.order == axes), key=lambda u: u.kind != "map")
    yield from map(argument_of, fitting[:_MOST_ARGUMENTS])


def _placed(function: Node, at_0: int, argument: Argument, labels: Labels) -> Factors:
    """The factors of a function of the argument; those of its pole, if it keeps one, are apart."""
    apart = [power(argument.u, at_0)] if at_0 < 0 else []
    if apart:
        function = over_power(function, at_0)
    return tuple((node, labels) for node in (*smooth(function, argument), *apart))


def _of_product(c: Number, factors: Factors, out: Labels) -> Raw:
    """The product with the factors in a germ whose zeros cancel poles of others."""
    poles = dict.fromkeys(labels for node, labels in factors if _has_pole(node))
    for labels in poles if len(factors) > 1 else ():
        nodes = [node for node, axes in factors if axes == labels]
        for argument in _arguments(nodes, len(labels)):
            found = _cancelled(factors, labels, out, argument)
            if found is not None:
                made = c * found[0], found[1], out
                while (simpler := simplified(*made, total)) is not None:
                    made = simpler
                return _of_product(*made)
    return c, factors, out


def _cancelled(
    factors: Factors, labels: Labels, out: Labels, argument: Argument
) -> tuple[Number, Factors] | None:
    """A number and the factors, those that have a zero or a pole at 0 in a germ."""
    members: list[tuple[Node, int]] = []
    rest: Factors = ()
    for node, axes in factors:
        function = argument.function(node) if axes == labels else None
        at_0 = None if function is None else order(function)
        if function is not None and at_0:
            members.append((function, at_0))
        else:
            rest = (*rest, (node, axes))
    if not members:
        return None
    by: Number = 1
    if all(at_0 < 0 for _, at_0 in members):
        written = gathered(rest, argument.u, labels, out) or parted(rest, argument.u, labels, 1)
    elif all(at_0 > 0 for _, at_0 in members):
        written = parted(rest, argument.u, labels, -1)
        if written is not None and written[1] + sum(at_0 for _, at_0 in members) < 0:
            return None
    else:
        written = by, 0, rest
    if written is None:
        return None
    by, exponent, rest = written
    if exponent:
        members.append((intern("power", (), (T,), exponent), exponent))
    whole = product([function for function, _ in members])
    at_0 = sum(at_0 for _, at_0 in members)
    return by, (*rest, *_placed(whole, at_0, argument, labels))


def _joined(terms: list[Raw]) -> list[Raw] | None:
    """The terms with those as one whose poles cancel; None where there are none."""
    poles = dict.fromkeys(
        labels for _, factors, _ in terms for node, labels in factors if _has_pole(node)
    )
    for labels in poles if len(terms) > 1 else ():
        nodes = [node for _, factors, _ in terms for node, axes in factors if axes == labels]
        for argument in _arguments(nodes, len(labels)):
            for (rest, out), members in _alike(terms, labels, argument).items():
                found = _sum_without_pole([terms[k] for k in members], labels, argument)
                if found is not None:
                    others = [term for k, term in enumerate(terms) if k not in members]
                    return [*others, (1, (*rest, *found), out)]
    return None


def _alike(
    terms: list[Raw], labels: Labels, argument: Argument
) -> dict[tuple[Factors, Labels], list[int]]:
    """Places of terms that are functions of the argument times the same other factors."""
    groups: dict[tuple[Factors, Labels], list[int]] = {}
    for k, (_, factors, out) in enumerate(terms):
        rest = tuple(
            (node, axes)
            for node, axes in factors
            if axes != labels or argument.function(node) is None
        )
        if len(rest) < len(factors) or set(labels) <= set(out):
            groups.setdefault((rest, out), []).append(k)
    return groups


def _sum_without_pole(terms: list[Raw], labels: Labels, argument: Argument) -> Factors | None:
    """The sum of functions of the argument as one, where poles of theirs cancel."""
    parts = []
    for c, factors, _ in terms:
        functions = [argument.function(node) for node, axes in factors if axes == labels]
        parts.append((c, [function for function in functions if function is not None]))
    known = [[order(function) for function in functions] for _, functions in parts]
    if len(parts) < 2 or any(None in orders for orders in known):
        return None
    least = min(sum(at_0 for at_0 in orders if at_0 is not None) for orders in known)
    if least >= 0:
        return None
    whole = summed(parts)
    at_0 = order(whole)
    if at_0 is None or at_0 <= least:
        return None
    return _placed(whole, at_0, argument, labels)
