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
            return program.emit_owned(f"like.new_zeros({shape})", (), shape)
        return total
    if total is None:
        total = program.emit_owned(f"like.new_zeros({shape}){{zero}}", (), shape)
    else:
        total = program.emit_owned("torch.clone({0}{own})", (total,), shape)
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
        call = f"{{0}}.fill_({part.scale!r})" if is_zero else f"{{0}}.add_({part.scale!r})"
        program.change(call, (view,), count)
        return
    core = aligned(program, part.core, order)
    scale = part.scale
    if is_zero and scale != 1.0 and math.prod(core.shape) < count:
        core = program.emit(
            f"torch.mul({{0}}, {scale!r}{{out}})", (core,), core.shape, count, elementwise=True
        )
        scale = 1.0
    if not is_zero:
        alpha = "" if scale == 1.0 else f", alpha={scale!r}"
        program.change(f"{{0}}.add_({{1}}{alpha})", (view, core), count)
    elif scale == 1.0:
        program.change("{0}.copy_({1})", (view, core), count)
    else:
        program.change(f"torch.mul({{1}}, {scale!r}, out={{0}})", (view, core), count)


def _dense(program: Program, parts: list[Part], shape: tuple[int, ...]) -> Value:
    """The sum of parts whose output labels are distinct, spread to the whole shape."""
    constant = sum(part.scale for part in parts if part.core is None)
    rest = [part for part in parts if part.core is not None]
    values = [(part.scale, aligned(program, part.core, part.out)) for part in rest if part.core]
    values.sort(key=lambda item: (-math.prod(item[1].shape), item[0] != 1.0))
    if not values:
        return program.emit_owned(f"like.new_full({shape}, {constant!r})", (), shape)
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
            alpha = "" if factor == 1.0 else f", alpha={factor!r}"
            total = program.emit(
                f"torch.add({{0}}, {{1}}{alpha}{{out}})",
                (total, value),
                joint,
                math.prod(joint) * (1 if factor == 1.0 else 2),
                elementwise=True,
            )
        if constant:
            total = program.emit(
                f"torch.add({{0}}, {constant!r}{{out}})",
                (total,),
                total.shape,
                math.prod(total.shape),
                elementwise=True,
            )
    if total.shape != shape:
        total = program.emit(f"{{0}}.expand({shape})", (total,), shape, view=True)
    return total


def _affine(program: Program, constant: float, scale: float, value: Value) -> Value:
    """``constant + scale * value`` in one pass."""
    count = math.prod(value.shape)
    if scale == 1.0:
        call = f"torch.add({{0}}, {constant!r}{{out}})"
    else:
        call = f"torch.add(constant({constant!r}, like), {{0}}, alpha={scale!r}{{out}})"
    return program.emit(call, (value,), value.shape, 2 * count, elementwise=True)


def scaled(program: Program, scale: float, value: Value) -> Value:
    """``scale * value``."""
    return program.emit(
        f"torch.mul({{0}}, {scale!r}{{out}})",
        (value,),
        value.shape,
        math.prod(value.shape),
        elementwise=True,
    )


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
        value = program.emit(f"{{0}}.diagonal(0, {first}, {second})", (value,), shape, view=True)
        labels = (*(labels[k] for k in kept), labels[first])
    return Labelled(value, labels)
