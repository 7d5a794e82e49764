"""From a graph and sizes to a program: every node once, sums as dense parts and diagonals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from curate.calculus.canonical import canonical
from curate.calculus.contract import Labelled, aligned, contract, permuted, reshaped
from curate.calculus.node import Dim, Labels, Node, Term, walk
from curate.calculus.program import GRAM, MATMUL, Program, Value
from curate.calculus.structure import positive_definite

_CALLS = {
    "arcsin": "torch.asin", "arccos": "torch.acos", "arctan": "torch.atan",
    "erf": "torch.special.erf",
}  # fmt: skip


class Part(NamedTuple):
    """A term that was computed: ``scale * core``, spread over ``out`` (labels may repeat)."""

    scale: float
    core: Labelled | None
    out: Labels


class Planner:
    """Lowers one graph for one set of sizes."""

    def __init__(self, sizes: Mapping[Dim, int]) -> None:
        self.sizes = sizes
        self.program = Program()
        self.values: dict[Node, Value] = {}
        self.numbers: dict[Node, float] = {}

    def shape(self, node: Node) -> tuple[int, ...]:
        """The sizes of a node's axes."""
        return tuple(dim if isinstance(dim, int) else self.sizes[dim] for dim in node.shape)

    def lower(self, root: Node, *, dense: bool = True) -> Value | list[Part]:
        """Emit every node below the root; the root as one tensor, or as parts."""
        for node in walk(root):
            if node is root and not dense:
                return (
                    self.parts(root)
                    if root.kind == "sum"
                    else [Part(1.0, self._whole(root), tuple(range(root.order)))]
                )
            self.value(node)
        return self.values.get(root) or self._constant(root)

    def _whole(self, node: Node) -> Labelled:
        value = self.value(node)
        assert value is not None
        return Labelled(value, tuple(range(node.order)))

    def value(self, node: Node) -> Value | None:
        """The tensor of a node whose operands are done; None for a number."""
        if node not in self.values and node not in self.numbers:
            number = self._number(node)
            if number is not None:
                self.numbers[node] = number
            else:
                self.values[node] = self._lowered(node)
        return self.values.get(node)

    def _number(self, node: Node) -> float | None:
        """The value of a scalar that only numbers and sizes make."""
        if node.kind == "size":
            return float(self.sizes[node.data])
        if node.order or not node.operands:
            return None
        if node.kind == "power" and node.args[0] in self.numbers:
            return self.numbers[node.args[0]] ** float(node.data)
        if node.kind == "map" and node.data == "log" and node.args[0] in self.numbers:
            return math.log(self.numbers[node.args[0]])
        if node.kind == "sum" and all(operand in self.numbers for operand in node.operands):
            return float(
                sum(
                    float(c) * math.prod(self.numbers[factor] for factor, _ in factors)
                    for c, factors, _ in node.data
                )
            )
        return None

    def _constant(self, node: Node) -> Value:
        number = self.numbers[node]
        self.values[node] = value = self.program.own(f"like.new_full((), {number!r})", (), ())
        return value

    def operand(self, node: Node) -> Value:
        """The tensor of an operand, numbers included."""
        return self.values.get(node) or self._constant(node)

    def _lowered(self, node: Node) -> Value:
        shape = self.shape(node)
        emit = self.program.emit
        count = math.prod(shape)
        if node.kind == "variable":
            name, structure = node.data
            if structure == "diagonal!":
                full = self.program.read(name, shape * 2)
                return emit("{0}.diagonal()", (full,), shape, view=True)
            return self.program.read(name, shape)
        if node.kind == "sum":
            return assemble(self.program, self.parts(node), shape)
        operands = tuple(self.operand(operand) for operand in node.args)
        if node.kind == "hold":
            return operands[0]
        if node.kind == "map":
            return emit(_map_call(node.data), operands, shape, count, elementwise=True)
        if node.kind == "power":
            return emit(_power_call(float(node.data)), operands, shape, count, elementwise=True)
        if node.kind == "logsumexp":
            axes = tuple(range(-node.data, 0))
            size = math.prod(operands[0].shape)
            return emit(f"torch.logsumexp({{0}}, {axes}{{out}})", operands, shape, 3 * size)
        return self._of_matrix(node, operands[0], shape)

    def _of_matrix(self, node: Node, matrix: Value, shape: tuple[int, ...]) -> Value:
        emit = self.program.emit
        cube = matrix.shape[0] ** 3
        if node.kind != "determinant" and positive_definite(node.args[0]):
            factor = emit("cholesky({0})", (matrix,), matrix.shape, cube // 3)
            if node.kind == "inverse":
                return emit("torch.cholesky_inverse({0}{out})", (factor,), shape, 2 * cube // 3)
            diagonal = emit("{0}.diagonal()", (factor,), matrix.shape[:1], view=True)
            logs = emit("torch.log({0})", (diagonal,), diagonal.shape, diagonal.shape[0])
            half = emit("torch.sum({0})", (logs,), (), diagonal.shape[0])
            return emit("torch.mul({0}, 2.0)", (half,), (), 1)
        if node.kind == "inverse":
            return emit("torch.linalg.inv({0}{out})", (matrix,), shape, 2 * cube)
        if node.kind == "logdet":
            return emit("torch.linalg.slogdet({0})[1]", (matrix,), (), 2 * cube // 3)
        return emit("torch.linalg.det({0})", (matrix,), (), 2 * cube // 3)

    def parts(self, node: Node) -> list[Part]:
        """Every term of a sum."""
        shape = self.shape(node)
        dense = [term for term in node.data if len(set(term.out)) == len(term.out)]
        alone = len(dense) == 1
        return [self.part(term, shape, alone=alone or term not in dense) for term in node.data]

    def part(self, term: Term, shape: tuple[int, ...], *, alone: bool) -> Part:
        """Emit one term as a scale and a core over distinct labels.

        A term that stands alone takes its scale into its smallest operand, where that is cheaper.
        """
        scale = float(term.coefficient)
        operands = []
        for node, labels in term.factors:
            if node in self.numbers:
                scale *= self.numbers[node]
            else:
                operands.append(_without_repeats(self.program, self.values[node], labels))
        if not operands:
            return Part(scale, None, term.out)
        distinct = tuple(dict.fromkeys(term.out))
        size = math.prod(shape[term.out.index(label)] for label in distinct)
        smallest = min(operands, key=lambda part: math.prod(part.value.shape))
        summed = any(label not in term.out for part in operands for label in part.labels)
        # a product with itself that is summed over has a cheaper form, which a scale would hide
        shared = summed and sum(part.value == smallest.value for part in operands) > 1
        if alone and not shared and scale != 1.0 and 8 * math.prod(smallest.value.shape) <= size:
            scaled = Labelled(_scaled(self.program, scale, smallest.value), smallest.labels)
            operands[operands.index(smallest)] = scaled
            scale = 1.0
        core = contract(self.program, operands, distinct, symmetric=_swaps(term))
        return Part(scale, core, term.out)


def _swaps(term: Term) -> bool:
    """Whether a term stays the same when the halves of its output change places."""
    half = len(term.out) // 2
    if not half or len(set(term.out)) != 2 * half or len(term.out) != 2 * half:
        return False
    return canonical(*term[:2], term.out[half:] + term.out[:half]) == term


def _map_call(name: str) -> str:
    if name == "softplus":
        return "softplus({0})"
    if name == "step":
        return "torch.gt({0}, 0).to({0}.dtype)"
    if name == "pow":
        return "torch.pow({0}, {1}{out})"
    if name == "relu":
        return "torch.relu({0})"
    return f"{_CALLS.get(name, 'torch.' + name)}({{0}}{{out}})"


def _power_call(exponent: float) -> str:
    named = {-1.0: "reciprocal", 0.5: "sqrt", -0.5: "rsqrt"}
    if exponent in named:
        return f"torch.{named[exponent]}({{0}}{{out}})"
    return f"torch.pow({{0}}, {exponent!r}{{out}})"


def _without_repeats(program: Program, value: Value, labels: Labels) -> Labelled:
    while len(set(labels)) < len(labels):
        first = next(k for k, label in enumerate(labels) if label in labels[k + 1 :])
        second = labels.index(labels[first], first + 1)
        kept = [k for k in range(len(labels)) if k not in (first, second)]
        shape = (*(value.shape[k] for k in kept), value.shape[first])
        value = program.emit(f"{{0}}.diagonal(0, {first}, {second})", (value,), shape, view=True)
        labels = (*(labels[k] for k in kept), labels[first])
    return Labelled(value, labels)


def assemble(program: Program, parts: list[Part], shape: tuple[int, ...]) -> Value:
    """The sum of the parts as one tensor."""
    dense = [part for part in parts if len(set(part.out)) == len(part.out)]
    diagonals = [part for part in parts if len(set(part.out)) < len(part.out)]
    total = _dense(program, dense, shape) if dense else None
    if not diagonals:
        if total is None:
            return program.own(f"like.new_zeros({shape})", (), shape)
        return total
    if total is None:
        total = program.own(f"like.new_zeros({shape}){{zero}}", (), shape)
    else:
        total = program.own("torch.clone({0}{own})", (total,), shape)
    fresh = not dense
    for k, part in enumerate(diagonals):
        add_diagonal(program, total, part, fresh and k == 0)
    return total


def add_diagonal(program: Program, total: Value, part: Part, fresh: bool) -> None:
    """Add a part with a unit tensor to an owned tensor in place."""
    view, order = _without_repeats(program, total, part.out)
    size = view.shape
    count = math.prod(size)
    if part.core is None:
        call = f"{{0}}.fill_({part.scale!r})" if fresh else f"{{0}}.add_({part.scale!r})"
        program.change(call, (view,), count)
        return
    core = aligned(program, part.core, order)
    scale = part.scale
    if fresh and scale != 1.0 and math.prod(core.shape) < count:
        core = program.emit(
            f"torch.mul({{0}}, {scale!r}{{out}})", (core,), core.shape, count, elementwise=True
        )
        scale = 1.0
    if not fresh:
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
        return program.own(f"like.new_full({shape}, {constant!r})", (), shape)
    scale, total = values[0]
    others = values[1:]
    if constant and not others:
        total = _affine(program, constant, scale, total)
    else:
        if scale != 1.0 and others and others[0][0] == 1.0 and others[0][1].shape == total.shape:
            (scale, total), others[0] = others[0], (scale, total)
        if scale != 1.0:
            total = _scaled(program, scale, total)
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


def _scaled(program: Program, scale: float, value: Value) -> Value:
    """``scale * value``; where the value is a large matrix product, as its alpha."""
    last = program.operations[-1] if program.operations else None
    if last and last.target is value and last.call in (MATMUL, GRAM):
        program.operations.pop()
        program.forget(value)
        call = f"torch.addmm(constant(0.0, like), {{0}}, {{1}}, beta=0, alpha={scale!r}{{out}})"
        if last.call == GRAM:
            call = f"gram({{0}}, {{1}}, {scale!r}{{out}})"
        return program.emit(call, last.args, value.shape, last.flops)
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


__all__ = ["Part", "Planner", "add_diagonal", "assemble", "permuted", "reshaped"]


def sum_of_cores(
    program: Program, parts: list[Part], shape: tuple[int, ...]
) -> list[tuple[Value, Labels, Labels]]:
    """One core per pattern of output labels, with the labels of its axes."""
    patterns: dict[Labels, list[Part]] = {}
    for part in parts:
        patterns.setdefault(part.out, []).append(part)
    result = []
    for out, members in patterns.items():
        have = {label for part in members if part.core for label in part.core.labels}
        order = tuple(label for label in dict.fromkeys(out) if label in have)
        size = tuple(shape[out.index(label)] for label in order)
        cores = [Part(part.scale, part.core, order) for part in members]
        result.append((_dense(program, cores, size), order, out))
    return result
