"""The sum of computed terms as one tensor: dense parts in one pass, diagonals added in place."""

from __future__ import annotations

import math
from typing import NamedTuple

from curate.calculus.compile.contract import Labelled, aligned
from curate.calculus.compile.program import Program, Value
from curate.calculus.graph.node import Labels


class Part(NamedTuple):
    """A term that was computed: ``scale * core``, spread over ``out`` (labels may repeat)."""

    scale: float
    core: Labelled | None
    out: Labels


def assemble(program: Program, parts: list[Part], shape: tuple[int, ...]) -> Value:
    """The sum of the parts as one tensor."""
    dense = [part for part in parts if len(set(part.out)) == len(part.out)]
    diagonals = [part for part in parts if len(set(part.out)) < len(part.out)]
    total = _dense(program, dense, shape) if dense else None
    if not diagonals:
        if total is None:
            return program.emit_owned("zeros", (), shape)
        return total
    if total is None:
        total = program.emit_owned("zeros", (), shape)
    else:
        total = program.emit_owned("copy", (total,), shape)
    is_zero = not dense
    for k, part in enumerate(diagonals):
        add_diagonal(program, total, part, is_zero and k == 0)
    return total


def add_diagonal(program: Program, total: Value, part: Part, is_zero: bool) -> None:
    """Add a part with a unit tensor in place to an owned tensor, which may still be zero."""
    view, order = without_repeats(program, total, part.out)
    size = view.shape
    count = math.prod(size)
    if part.core is None:
        program.change("fill" if is_zero else "increase_by", (view,), count, by=part.scale)
        return
    core = aligned(program, part.core, order)
    scale = part.scale
    if is_zero and scale != 1.0 and math.prod(core.shape) < count:
        core = scaled(program, scale, core)
        scale = 1.0
    kind = "put" if is_zero else "increase"
    if scale == 1.0:
        program.change(kind, (view, core), count)
    else:
        program.change(f"{kind}_scaled", (view, core), count, by=scale)


def _dense(program: Program, parts: list[Part], shape: tuple[int, ...]) -> Value:
    """The sum of parts whose output labels are distinct, spread to the whole shape."""
    constant = sum(part.scale for part in parts if part.core is None)
    rest = [part for part in parts if part.core is not None]
    values = [(part.scale, aligned(program, part.core, part.out)) for part in rest if part.core]
    values.sort(key=lambda item: (-math.prod(item[1].shape), item[0] != 1.0))
    if not values:
        return program.emit_owned("full", (), shape, value=constant)
    scale, total = values[0]
    others = values[1:]
    if constant and not others:
        total = _affine(program, constant, scale, total)
    else:
        if scale != 1.0 and others and others[0][0] == 1.0 and others[0][1].shape == total.shape:
            (scale, total), others[0] = others[0], (scale, total)
        if scale != 1.0:
            total = scaled(program, scale, total)
        for factor, value in others:
            joint = _broadcast_shape(total.shape, value.shape)
            count = math.prod(joint)
            if abs(factor) == 1.0:
                kind = "add" if factor > 0 else "sub"
                total = program.emit(kind, (total, value), joint, count)
            else:
                total = program.emit("add_scaled", (total, value), joint, 2 * count, by=factor)
        if constant:
            total = _affine(program, constant, 1.0, total)
    if total.shape != shape:
        total = program.emit("expand", (total,), shape)
    return total


def _affine(program: Program, constant: float, scale: float, value: Value) -> Value:
    """``constant + scale * value`` in one pass."""
    count = math.prod(value.shape)
    if scale == 1.0:
        return program.emit("shift", (value,), value.shape, count, by=constant)
    if scale == -1.0:
        return program.emit("minus", (value,), value.shape, count, shift=constant)
    return program.emit("affine", (value,), value.shape, 2 * count, shift=constant, by=scale)


def scaled(program: Program, scale: float, value: Value) -> Value:
    """``scale * value``."""
    count = math.prod(value.shape)
    if scale == -1.0:
        return program.emit("neg", (value,), value.shape, count)
    return program.emit("scale", (value,), value.shape, count, by=scale)


def _broadcast_shape(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    length = max(len(one), len(two))
    one, two = (1,) * (length - len(one)) + one, (1,) * (length - len(two)) + two
    return tuple(max(a, b) if min(a, b) else 0 for a, b in zip(one, two, strict=True))


def sum_of_cores(
    program: Program, parts: list[Part], shape: tuple[int, ...]
) -> list[tuple[Value, float, Labels, Labels]]:
    """One core per pattern of output labels, with its scale and the labels of its axes."""
    patterns: dict[Labels, list[Part]] = {}
    for part in parts:
        patterns.setdefault(part.out, []).append(part)
    result = []
    for out, members in patterns.items():
        have = {label for part in members if part.core for label in part.core.labels}
        order = tuple(label for label in dict.fromkeys(out) if label in have)
        size = tuple(shape[out.index(label)] for label in order)
        alone = len(members) == 1 and members[0].core is not None
        scale = members[0].scale if alone else 1.0
        cores = [Part(part.scale / scale, part.core, order) for part in members]
        result.append((_dense(program, cores, size), scale, order, out))
    return result


def without_repeats(program: Program, value: Value, labels: Labels) -> Labelled:
    """Labels that occur twice become one: the axis along the diagonal."""
    while len(set(labels)) < len(labels):
        first = next(k for k, label in enumerate(labels) if label in labels[k + 1 :])
        second = labels.index(labels[first], first + 1)
        kept = [k for k in range(len(labels)) if k not in (first, second)]
        shape = (*(value.shape[k] for k in kept), value.shape[first])
        value = program.emit("diagonal", (value,), shape, one=first, two=second)
        labels = (*(labels[k] for k in kept), labels[first])
    return Labelled(value, labels)
