"""Contractions: the order by opt_einsum, each step as one torch call in output order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from curate.calculus.compile.program import HALVED_FROM, Program, Value
from curate.calculus.graph.node import Labels

_OPTIMAL_UP_TO = 6
_LARGE = 1 << 15


class Labelled(NamedTuple):
    """A tensor whose axes carry distinct labels."""

    value: Value
    labels: Labels


def contract(
    program: Program,
    operands: Sequence[Labelled],
    out: Labels,
    *,
    symmetric: bool = False,
    positive: frozenset[Labelled] = frozenset(),
) -> Labelled:
    """Emit the product of the operands, summed over the labels that ``out`` lacks.

    Args:
        symmetric: whether the result is known to stay the same when the halves of ``out`` change
            places; a last matrix product is then done by half.
        positive: operands that are never below 0.

    Returns:
        the result, whose labels are those of ``out`` that some operand has, in any order.
    """
    if symmetric:
        operands = _weighted_gram(program, operands, out, positive)
    parts = [_presummed(program, part, operands, out) for part in operands]
    parts = _grouped(program, parts, out)
    for one, two in _path(parts, out):
        first, second = parts[one], parts[two]
        parts = [part for k, part in enumerate(parts) if k not in (one, two)]
        needed = set(out).union(*(part.labels for part in parts))
        target = out if not parts else _later(parts, out)
        parts.append(pair(program, first, second, needed, target))
    (result,) = parts
    half = len(out) // 2
    if symmetric and {result.labels[:half], result.labels[half:]} == {out[:half], out[half:]}:
        program.halve(result.value)
    return result


def _weighted_gram(
    program: Program, operands: Sequence[Labelled], out: Labels, positive: frozenset[Labelled]
) -> Sequence[Labelled]:
    """``X' diag(q) X`` with q >= 0 as ``Y'Y``, where ``Y = diag(sqrt q) X``: half the work."""
    half = len(out) // 2
    sides = [part for part in operands if set(part.labels) & set(out)]
    rest = [part for part in operands if part not in sides]
    if len(sides) != 2 or not rest or sides[0].value != sides[1].value:
        return operands
    one, two = sides
    shared = tuple(i for i in one.labels if i in two.labels)
    swap = dict(zip((*out[:half], *out[half:]), (*out[half:], *out[:half]), strict=True))
    mirrored = tuple(swap.get(i, i) for i in one.labels) == two.labels
    rows = math.prod(_sizes(one)[i] for i in one.labels if i in out)
    inside = all(part in positive and set(part.labels) <= set(shared) for part in rest)
    if not mirrored or not inside or set(shared) & set(out) or rows < HALVED_FROM:
        return operands
    weights = contract(program, rest, shared)
    size = math.prod(weights.value.shape)
    root = program.emit("sqrt", (weights.value,), weights.value.shape, size)
    scaled = _elementwise(program, one, Labelled(root, weights.labels), one.labels)
    return [scaled, Labelled(scaled.value, tuple(swap.get(i, i) for i in scaled.labels))]


def _later(parts: Sequence[Labelled], out: Labels) -> Labels:
    """Labels in an order that suits what comes after an inner step: contracted ones first."""
    inner = [i for part in parts for i in part.labels if i not in out]
    return (*dict.fromkeys(inner), *out)


def _presummed(
    program: Program, part: Labelled, operands: Sequence[Labelled], out: Labels
) -> Labelled:
    elsewhere = set(out).union(*(o.labels for o in operands if o is not part))
    if sum(o is part for o in operands) > 1:
        return part
    gone = [axis for axis, label in enumerate(part.labels) if label not in elsewhere]
    if not gone:
        return part
    shape = tuple(n for axis, n in enumerate(part.value.shape) if axis not in gone)
    flops = math.prod(part.value.shape)
    if shape:
        value = program.emit("sum_axes", (part.value,), shape, flops, axes=tuple(gone))
    else:
        value = program.emit("sum", (part.value,), shape, flops)
    return Labelled(value, tuple(i for i in part.labels if i in elsewhere))


def _grouped(program: Program, parts: list[Labelled], out: Labels) -> list[Labelled]:
    """Multiply operands that have the same labels; a last pair stays for a dot product."""
    groups: dict[frozenset[int], list[Labelled]] = {}
    for part in parts:
        groups.setdefault(frozenset(part.labels), []).append(part)
    result = []
    for labels, members in groups.items():
        elsewhere = set(out).union(*(other for other in groups if other != labels))
        least = 1 if labels <= elsewhere else 2  # the last product sums
        while len(members) > least:
            one, two, *rest = members
            members = [pair(program, one, two, set(labels), one.labels), *rest]
        result.extend(members)
    return result


def _path(parts: Sequence[Labelled], out: Labels) -> list[tuple[int, int]]:
    if len(parts) < 2:
        return []
    if len(parts) == 2:
        return [(0, 1)]
    import opt_einsum

    have = {label for part in parts for label in part.labels}
    letter = {label: opt_einsum.get_symbol(k) for k, label in enumerate(sorted(have))}
    spec = ",".join("".join(letter[i] for i in part.labels) for part in parts)
    spec += "->" + "".join(letter[i] for i in out if i in have)
    optimize = "optimal" if len(parts) <= _OPTIMAL_UP_TO else "auto"
    path, _ = opt_einsum.contract_path(
        spec, *(part.value.shape for part in parts), shapes=True, optimize=optimize
    )
    return [pair for pair in path if len(pair) == 2]


def pair(
    program: Program, one: Labelled, two: Labelled, needed: set[int], target: Labels
) -> Labelled:
    """Multiply two tensors, summing labels that are not needed; axes as in ``target`` if free."""
    if _first_of(two, target) < _first_of(one, target):
        one, two = two, one
    shared = [i for i in one.labels if i in two.labels]
    summed = [i for i in shared if i not in needed]
    batch = [i for i in shared if i in needed]
    rows = [i for i in one.labels if i not in shared]
    columns = [i for i in two.labels if i not in shared]
    if not summed:
        return _elementwise(program, one, two, target)
    if batch and not rows and not columns:
        product = _elementwise(program, one, two, (*batch, *summed))
        axes = tuple(range(len(batch), len(batch) + len(summed)))
        shape = product.value.shape[: len(batch)]
        count = math.prod(product.value.shape)
        value = program.emit("sum_axes", (product.value,), shape, count, axes=axes)
        return Labelled(value, tuple(batch))
    return _matmul(program, one, two, batch, rows, summed, columns)


def _first_of(part: Labelled, target: Labels) -> int:
    places = [target.index(i) for i in part.labels if i in target]
    own = [p for p in places if p >= 0]
    return min(own, default=len(target))


def _sizes(*parts: Labelled) -> dict[int, int]:
    return {i: n for part in parts for i, n in zip(part.labels, part.value.shape, strict=True)}


def _elementwise(program: Program, one: Labelled, two: Labelled, target: Labels) -> Labelled:
    have = dict.fromkeys((*one.labels, *two.labels))
    order = tuple(dict.fromkeys((*(i for i in target if i in have), *have)))
    sizes = _sizes(one, two)
    shape = tuple(sizes[i] for i in order)
    count = math.prod(shape)
    values = (_compact(program, one, order, count), _compact(program, two, order, count))
    value = program.emit("mul", values, shape, count)
    return Labelled(value, order)


def _compact(program: Program, part: Labelled, order: Labels, count: int) -> Value:
    """The part aligned; a small factor of a large product in the order in which it is read."""
    value = aligned(program, part, order)
    if count < _LARGE or 8 * math.prod(value.shape) > count or not value.shape:
        return value
    return program.emit("contiguous", (value,), value.shape)


def aligned(program: Program, part: Labelled, order: Labels) -> Value:
    """A view with axes in this order, of size 1 where the part lacks the label."""
    wanted = tuple(i for i in order if i in part.labels)
    value = permuted(program, part, wanted)
    lead = True
    index = []
    for label in order:
        if label in part.labels:
            lead = False
            index.append(":")
        elif not lead:
            index.append("None")
    while index and index[-1] == ":":
        index.pop()
    if "None" not in index:
        return value
    shape = tuple(
        value.shape[wanted.index(i)] if i in wanted else 1 for i in order[order.index(wanted[0]) :]
    )
    return program.emit("with_axes", (value,), shape, index=", ".join(index))


def permuted(program: Program, part: Labelled, order: Labels) -> Value:
    """A view of the part with its axes in this order."""
    if part.labels == order or (len(order) == 2 and part.value.name in program.symmetric):
        return part.value
    axes = tuple(part.labels.index(i) for i in order)
    shape = tuple(part.value.shape[axis] for axis in axes)
    if axes == (1, 0):
        return program.emit("t", (part.value,), shape)
    return program.emit("permute", (part.value,), shape, axes=axes)


def _folded(program: Program, part: Labelled, *groups: list[int]) -> Value:
    """A view (a copy where memory does not allow it) with each group of labels as one axis."""
    order = tuple(label for group in groups for label in group)
    value = permuted(program, part, order)
    sizes = _sizes(part)
    shape = tuple(math.prod(sizes[i] for i in group) for group in groups)
    return reshaped(program, value, shape)


def reshaped(program: Program, value: Value, shape: tuple[int, ...]) -> Value:
    """The value with another shape."""
    if value.shape == shape:
        return value
    return program.emit("reshape", (value,), shape)


def _matmul(
    program: Program,
    one: Labelled,
    two: Labelled,
    batch: list[int],
    rows: list[int],
    summed: list[int],
    columns: list[int],
) -> Labelled:
    sizes = _sizes(one, two)

    def count(labels: list[int]) -> int:
        return math.prod(sizes[i] for i in labels)

    flops = 2 * count(batch) * count(rows) * count(summed) * count(columns)
    labels = (*batch, *rows, *columns)
    shape = tuple(sizes[i] for i in labels)
    if batch:
        left = _folded(program, one, batch, rows, summed)
        right = _folded(program, two, batch, summed, columns)
        flat = (count(batch), count(rows), count(columns))
        value = program.emit("bmm", (left, right), flat, flops)
        return Labelled(reshaped(program, value, shape), labels)
    if not rows and not columns:
        left, right = _folded(program, one, summed), _folded(program, two, summed)
        return Labelled(program.emit("dot", (left, right), (), flops), ())
    if not columns:
        left, right = _folded(program, one, rows, summed), _folded(program, two, summed)
        value = program.emit("mv", (left, right), (count(rows),), flops)
        return Labelled(reshaped(program, value, shape), labels)
    if not rows:
        left, right = _folded(program, two, columns, summed), _folded(program, one, summed)
        value = program.emit("mv", (left, right), (count(columns),), flops)
        return Labelled(reshaped(program, value, shape), labels)
    left, right = _folded(program, one, rows, summed), _folded(program, two, summed, columns)
    value = program.multiply(left, right, flops)
    return Labelled(reshaped(program, value, shape), labels)
