"""Inverses that occur only in products: one factorisation and solves, never the inverse itself.

``x' inv(A) y`` is ``x' s`` with ``A s = y``: fewer flops than the inverse, and more digits where A
is badly conditioned. The factors (Cholesky where A is positive definite, else LU) are made once and
shared by every solve and by the logarithm of the determinant.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from curate.calculus.compile.contract import Labelled, contract, permuted, reshaped
from curate.calculus.compile.program import Program, Value
from curate.calculus.graph.canonical import is_symmetric
from curate.calculus.graph.node import Labels, Node, walk
from curate.calculus.rules.structure import positive_definite


class Inverse(NamedTuple):
    """An operand of a product that stands for ``inv(matrix)``."""

    node: Node
    labels: Labels


def only_in_products(*roots: Node) -> dict[Node, int]:
    """Inverses that need not be formed, with the number of products that they occur in."""
    uses: Counter[Node] = Counter()
    formed = {*roots}
    for node in walk(*roots):
        if node.kind == "sum":
            for _, factors, out in node.data:
                for factor, labels in factors:
                    if factor.kind == "inverse":
                        uses[factor] += 1
                        if labels[0] == labels[1] or set(labels) <= set(out):
                            formed.add(factor)
        else:
            formed.update(node.args)
    return {node: count for node, count in uses.items() if node not in formed}


def solved(
    program: Program,
    operands: Sequence[Labelled | Inverse],
    out: Labels,
    matrices: dict[Node, Value],
    shared: set[Node],
) -> list[Labelled] | Inverse:
    """The operands with every inverse replaced by a solution; or an inverse that has to be formed.

    Args:
        matrices: the value of every matrix that an inverse is of.
        shared: the matrices whose factors more than one operation needs.
    """
    parts = list(operands)
    while inverses := [part for part in parts if isinstance(part, Inverse)]:
        choices = [
            choice
            for inverse in inverses
            for axis in (1, 0)
            if (choice := _choice(parts, inverse, axis, out)) is not None
        ]
        if not choices:
            return inverses[0]
        inverse, axis, side = min(choices, key=lambda choice: _columns(choice[2]))
        rest = [part for part in parts if part is not inverse and not any(part is s for s in side)]
        parts = [*rest, _solution(program, inverse, axis, side, rest, out, matrices, shared)]
    return [part for part in parts if isinstance(part, Labelled)]


def _choice(
    parts: Sequence[Labelled | Inverse], inverse: Inverse, axis: int, out: Labels
) -> tuple[Inverse, int, list[Labelled]] | None:
    """All that hangs on one axis of the inverse, where that is a right-hand side."""
    label = inverse.labels[axis]
    if label in out:
        return None
    side: list[Labelled | Inverse] = []
    reached = {label}
    closed = {*out, inverse.labels[1 - axis]}
    while True:
        more = [
            part
            for part in parts
            if part is not inverse
            and not any(part is s for s in side)
            and set(part.labels) & (reached - closed)
        ]
        if not more:
            break
        side += more
        reached |= {i for part in more for i in part.labels}
    if any(isinstance(part, Inverse) for part in side):
        return None
    return inverse, axis, [part for part in side if isinstance(part, Labelled)]


def _columns(side: Sequence[Labelled]) -> int:
    sizes = {i: n for part in side for i, n in zip(part.labels, part.value.shape, strict=True)}
    return math.prod(sizes.values())


def _solution(
    program: Program,
    inverse: Inverse,
    axis: int,
    side: Sequence[Labelled],
    rest: Sequence[Labelled | Inverse],
    out: Labels,
    matrices: dict[Node, Value],
    shared: set[Node],
) -> Labelled:
    node = inverse.node.args[0]
    matrix = matrices[node]
    n = matrix.shape[0]
    label, result = inverse.labels[axis], inverse.labels[1 - axis]
    needed = {*out, result}.union(*(part.labels for part in rest))
    extra = tuple(dict.fromkeys(i for part in side for i in part.labels if i in needed))
    if side:
        right = contract(program, side, (label, *extra))
    else:
        right = Labelled(program.emit("full", (), (n,), value=1.0), (label,))
    order = (label, *(i for i in right.labels if i != label))
    value = permuted(program, right, order)
    count = math.prod(value.shape[1:])
    flat = reshaped(program, value, (n, count))
    solution = _solve(program, node, matrix, flat, axis == 0, node in shared)
    shaped = reshaped(program, solution, value.shape)
    labels = (result, *order[1:])
    while len(set(labels)) < len(labels):  # the other axis occurs on this side, too: a diagonal
        second = labels.index(result, 1)
        kept = [k for k in range(1, len(labels)) if k != second]
        shape = (*(shaped.shape[k] for k in kept), n)
        shaped = program.emit("diagonal", (shaped,), shape, one=0, two=second)
        labels = (*(labels[k] for k in kept), result)
    return Labelled(shaped, labels)


def _solve(
    program: Program, node: Node, matrix: Value, right: Value, transposed: bool, shared: bool
) -> Value:
    n, count = right.shape
    flops = 2 * n * n * count
    if positive_definite(node):
        factor = program.emit("cholesky", (matrix,), matrix.shape, n**3 // 3)
        return program.emit("cholesky_solve", (right, factor), right.shape, flops)
    transposed = transposed and not is_symmetric(node)
    if shared:
        lu, pivots = lu_of(program, matrix)
        given = (lu, pivots, right)
        return program.emit("lu_solve", given, right.shape, flops, adjoint=transposed)
    if transposed:
        matrix = program.emit("t", (matrix,), matrix.shape)
    return program.emit("solve", (matrix, right), right.shape, 2 * n**3 // 3 + flops)


def lu_of(program: Program, matrix: Value) -> tuple[Value, Value]:
    """The LU factors of a matrix, and their pivots."""
    n = matrix.shape[0]
    both = program.emit("factors", (matrix,), matrix.shape, 2 * n**3 // 3)
    lu = program.emit("item", (both,), matrix.shape, place=0)
    return lu, program.emit("item", (both,), (n,), place=1)
