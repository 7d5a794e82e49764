"""Einsum of expressions."""

from __future__ import annotations

from curate.calculus import algebra
from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.expression import Expression, as_expression
from curate.calculus.node import Dim
from curate.calculus.operators import brief, same_sizes
from curate.calculus.sizes import shown


def einsum(spec: str, *operands: Expression) -> Expression:
    """A contraction as ``numpy.einsum`` spells it, of expressions.

    A repeated output label is a unit tensor (``"i->ii"`` is a diagonal matrix); without ``->``
    the output is, as in numpy, every label that occurs once, in alphabetical order.

    Raises:
        CalculusError: the spec does not fit the operands.
    """
    left, arrow, right = spec.replace(" ", "").partition("->")
    labels = left.split(",") if operands else []
    nodes = [as_expression(operand) for operand in operands]
    if len(labels) != len(nodes):
        raise CalculusError(f"einsum {spec!r}: {len(labels)} operands named, {len(nodes)} given")
    pairs: list[tuple[Dim, Dim]] = []
    first: dict[str, Dim] = {}
    for names, node in zip(labels, nodes, strict=True):
        if len(names) != node.order:
            raise ShapeError(
                f"einsum {spec!r}: {names!r} names {len(names)} axes, but {brief(node)} has the "
                f"shape {shown(node.shape)}"
            )
        for name, dim in zip(names, node.shape, strict=True):
            pairs.append((first.setdefault(name, dim), dim))
    out = right if arrow else "".join(sorted(i for i in first if left.count(i) == 1))
    if missing := set(out) - set(first):
        raise CalculusError(f"einsum {spec!r}: {sorted(missing)} is in no operand")
    sized, _ = same_sizes(tuple(nodes), pairs, f"einsum {spec!r}")
    number_of = {name: k for k, name in enumerate(first)}
    dims = {
        name: dim
        for names, node in zip(labels, sized, strict=True)
        for name, dim in zip(names, node.shape, strict=True)
    }
    factors = [
        (node.node, tuple(number_of[name] for name in names))
        for names, node in zip(labels, sized, strict=True)
    ]
    shape = tuple(dims[name] for name in out)
    product = algebra.einsum(shape, tuple(number_of[name] for name in out), *factors)
    return as_expression(sized[0].over(product))
