"""Which elements cannot be negative, whatever the variables are."""

from __future__ import annotations

from curate.calculus.elementwise import MAPS
from curate.calculus.graph.node import Node


def nonnegative(node: Node) -> bool:
    """Whether no element can be below 0, whatever the variables are."""
    if node.nonnegative is None:
        node.nonnegative = _nonnegative(node)
    return node.nonnegative


def _nonnegative(node: Node) -> bool:
    if node.kind == "power":
        return not isinstance(node.data, int) or node.data % 2 == 0 or nonnegative(node.args[0])
    if node.kind == "opaque":
        return nonnegative(node.args[0])
    if node.kind == "sum":
        return bool(node.data) and all(
            term.coefficient > 0
            and all(
                nonnegative(factor) or term.factors.count((factor, labels)) % 2 == 0
                for factor, labels in term.factors
            )
            for term in node.data
        )
    return (
        node.kind == "pattern"
        or positive(node)
        or (node.kind == "map" and MAPS[node.data].sign is not None)
    )


def positive(node: Node) -> bool:
    """Whether every element is above 0 (but for underflow), whatever the variables are."""
    return node.kind == "size" or (node.kind == "map" and MAPS[node.data].sign == 1)


def above_0(node: Node) -> bool:
    """Whether every element is above 0, as it is positive or a positive number and more."""
    return positive(node) or (
        node.kind == "sum"
        and nonnegative(node)
        and any(not term.factors and len(set(term.out)) == node.order for term in node.data)
    )
