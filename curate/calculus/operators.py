"""Operators on expressions: sizes made equal, then one einsum or sum."""

from __future__ import annotations

import itertools
from types import EllipsisType
from typing import Any

from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.graph import algebra, patterns
from curate.calculus.graph.node import Dim, Node, Number, intern, number
from curate.calculus.graph.sizes import Reason, added, renamed, shown, unify
from curate.calculus.graph.sums import size
from curate.calculus.rules.maps import general_power, power
from curate.calculus.rules.rebuild import rebuild, resized
from curate.calculus.scoped import Scoped

_fresh = itertools.count()


def fresh_size() -> str:
    """A size that nothing has fixed yet, as that of ``vector(1)``."""
    return f"?{next(_fresh)}"


def brief(operand: Scoped) -> str:
    """A short name of an operand for messages."""
    if operand.node.kind == "variable":
        return operand.node.data[0]
    return f"({operand.node.kind} of {', '.join(sorted(operand.scope)) or 'numbers'})"


def declared(name: str, sizes: tuple[Dim, ...], structure: str | None = None) -> Node:
    """A variable."""
    return intern("variable", sizes, data=(name, structure))


def expression(value: Any) -> Scoped:
    """An operand as an expression: numbers become constants.

    Raises:
        CalculusError: a value that is neither an expression nor a number.
    """
    if isinstance(value, Scoped):
        return value
    try:
        return Scoped(algebra.constant(number(value)), {})
    except (TypeError, ValueError) as error:
        raise CalculusError(
            f"operand {value!r} is neither an expression nor a number; declare a variable for "
            "it and give the value when calling"
        ) from error


def same_sizes(
    operands: tuple[Scoped, ...], pairs: list[tuple[Dim, Dim]], where: str
) -> tuple[list[Scoped], tuple[Reason, ...]]:
    """The operands with one scope and with every pair of sizes made equal.

    Raises:
        ShapeError: known sizes differ, or one name stands for two kinds of variable.
    """
    scope: dict[str, Node] = {}
    shared: list[tuple[Dim, Dim]] = []
    for operand in operands:
        for name, variable in operand.scope.items():
            other = scope.setdefault(name, variable)
            if other.data != variable.data or other.order != variable.order:
                raise ShapeError(
                    f"{where}: {name} is declared twice, as {_declared(other)} and as "
                    f"{_declared(variable)}"
                )
            shared.extend(zip(other.shape, variable.shape, strict=True))
    shapes = " and ".join(shown(operand.shape) for operand in operands)
    many = "shapes" if len(operands) > 1 else "shape"
    names = unify(
        [*shared, *pairs],
        f"{where}: {many} {shapes} {'do' if len(operands) > 1 else 'does'} not fit",
    )
    reasons = {reason for operand in operands for reason in operand.reasons}
    reasons |= {Reason(one, where) for one, _ in pairs}
    if names:
        leaf = lambda variable: resized(variable, names)  # noqa: E731
        operands = tuple(
            Scoped(rebuild(o.node, leaf, names), {n: leaf(v) for n, v in o.scope.items()})
            for o in operands
        )
        scope = {name: leaf(variable) for name, variable in scope.items()}
        reasons = {Reason(renamed(dim, names), text) for dim, text in reasons}
    ordered = tuple(sorted(reasons, key=str))
    return [Scoped(o.node, scope, ordered) for o in operands], ordered


def _declared(variable: Node) -> str:
    return f"{variable.data[1] or ''} {shown(variable.shape)}".strip()


def elementwise(symbol: str, one: Any, two: Any, where: str = "") -> Scoped:
    """``+ - * / **`` elementwise; the operand with fewer axes counts for every leading one."""
    a, b = expression(one), expression(two)
    short = min(a.order, b.order)
    pairs = list(zip(a.shape[a.order - short :], b.shape[b.order - short :], strict=True))
    where = where or f"{brief(a)} {symbol} {brief(b)}"
    (a, b), _ = same_sizes((a, b), pairs, where)
    u, v = a.node, b.node
    shape = max((u.shape, v.shape), key=len)
    if symbol == "**":
        if 0 < u.order < len(shape):
            u = algebra.broadcast(u, shape)
        if 0 < v.order < len(shape):
            v = algebra.broadcast(v, shape)
        return a.with_node(general_power(u, v))
    axes = tuple(range(len(shape)))
    if symbol in "+-":
        sign: Number = 1 if symbol == "+" else -1
        left, right = algebra.broadcast(u, shape), algebra.broadcast(v, shape)
        return a.with_node(algebra.add(left, algebra.scale(sign, right)))
    if symbol == "/":
        v = power(v, -1)
    factors = [(node, axes[len(shape) - node.order :]) for node in (u, v)]
    return a.with_node(algebra.einsum(shape, axes, *factors))


def matmul(a: Scoped, b: Scoped, where: str = "") -> Scoped:
    """Numpy's ``@``: the last axis of a with the first of the vector or matrix b."""
    b = expression(b)
    where = where or f"{brief(a)} @ {brief(b)}"
    if not (a.order >= 1 and b.order >= 1):
        raise ShapeError(f"{where}: a scalar has no axis to contract; use *")
    if b.order > 2:
        raise ShapeError(f"{where}: the right operand has {b.order} axes; use einsum")
    (a, b), _ = same_sizes((a, b), [(a.shape[-1], b.shape[0])], where)
    left = tuple(range(a.order))
    right = (left[-1], *range(a.order, a.order + b.order - 1))
    out = left[:-1] + right[1:]
    shape = a.shape[:-1] + b.shape[1:]
    return a.with_node(algebra.einsum(shape, out, (a.node, left), (b.node, right)))


def summed(u: Scoped, axis: int | None) -> Scoped:
    """The sum of all elements, or along one axis."""
    axes = tuple(range(u.order))
    if axis is None:
        return u.with_node(algebra.einsum((), (), (u.node, axes)))
    gone = axis_of(u, axis, "sum")
    kept = tuple(i for i in axes if i != gone)
    return u.with_node(algebra.einsum(tuple(u.shape[i] for i in kept), kept, (u.node, axes)))


def averaged(u: Scoped, axis: int | None) -> Scoped:
    """The mean of all elements, or along one axis."""
    result = summed(u, axis)
    dims = u.shape if axis is None else (u.shape[axis_of(u, axis, "mean")],)
    counts = [(power(size(dim), -1), ()) for dim in dims]
    axes = tuple(range(result.order))
    return result.with_node(algebra.einsum(result.shape, axes, (result.node, axes), *counts))


def axis_of(u: Scoped, axis: int, name: str) -> int:
    """The axis counted from the front.

    Raises:
        CalculusError: the operand has no such axis.
    """
    if not isinstance(axis, int) or not -u.order <= axis < u.order:
        raise CalculusError(
            f"{name}: axis {axis!r} of an operand with the shape {shown(u.shape)}; it has the axes "
            f"{list(range(u.order))}"
        )
    return axis % u.order


def broadcast_together(name: str, *operands: Any) -> list[Scoped]:
    """The operands with one scope and one shape; those with fewer axes count for leading ones.

    Raises:
        ShapeError: shapes that do not fit.
    """
    parts = [expression(operand) for operand in operands]
    longest = max(parts, key=lambda part: part.order)
    pairs: list[tuple[Dim, Dim]] = []
    for part in parts:
        pairs += zip(longest.shape[longest.order - part.order :], part.shape, strict=True)
    sized, _ = same_sizes(tuple(parts), pairs, f"{name}({', '.join(map(brief, parts))})")
    shape = max((part.shape for part in sized), key=len)
    return [part.with_node(algebra.broadcast(part.node, shape)) for part in sized]


def compared(symbol: str, one: Any, two: Any) -> Scoped:
    """1 where the comparison holds, else 0, elementwise; the derivative is 0."""
    if symbol in ("<", "<="):
        return compared({"<": ">", "<=": ">="}[symbol], two, one)
    a, b = broadcast_together(f"({symbol})", one, two)
    name = {">": "greater", ">=": "at_least", "==": "equal", "!=": "differs"}[symbol]
    return a.with_node(intern("map", a.shape, (a.node, b.node), name))


def item(u: Scoped, key: Any) -> Scoped:
    """``u[key]`` with whole numbers and slices of step 1, as numpy has it.

    Raises:
        CalculusError: any other key.
        ShapeError: more keys than axes, or a place that the axis does not have.
    """
    keys = key if isinstance(key, tuple) else (key,)
    if len(keys) > u.order:
        raise ShapeError(
            f"{brief(u)}{_shown(keys)}: {len(keys)} indices for the shape {shown(u.shape)}"
        )
    node, axis = u.node, 0
    for part in keys:
        dim = node.shape[axis]
        if isinstance(part, slice) and part.step in (None, 1):
            start = _place(u, part.start, dim, 0)
            node = patterns.sliced(node, axis, start, _place(u, part.stop, dim, dim))
            _check(u, keys, node.shape[axis])
            axis += 1
        elif isinstance(part, int) and not isinstance(part, bool):
            place = _place(u, part, dim, 0)
            if isinstance(dim, int) and isinstance(place, int):
                _check(u, keys, place)
                _check(u, keys, dim - 1 - place)
            node = patterns.taken(node, axis, place)
        else:
            raise CalculusError(
                f"{brief(u)}{_shown(keys)}: the index {part!r}; whole numbers and slices without "
                "a step are taken"
            )
    return u.with_node(node)


def _place(u: Scoped, value: Any, dim: Dim, missing: Dim) -> Dim:
    if value is None:
        return missing
    if not isinstance(value, int) or isinstance(value, bool):
        raise CalculusError(f"{brief(u)}: the slice end {value!r}; a whole number is needed")
    return added(dim, value) if value < 0 else value


def _check(u: Scoped, keys: tuple[Any, ...], number: Dim) -> None:
    if isinstance(number, int) and number < 0:
        raise ShapeError(f"{brief(u)}{_shown(keys)}: not in the shape {shown(u.shape)}")


def _shown(keys: tuple[Any, ...]) -> str:
    def one(key: Any) -> str:
        if isinstance(key, slice):
            ends = ("" if end is None else str(end) for end in (key.start, key.stop))
            return ":".join(ends)
        return "..." if isinstance(key, EllipsisType) else str(key)

    return f"[{', '.join(map(one, keys))}]"
