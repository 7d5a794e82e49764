"""Why an expression is cheap: what was simplified, and what every step costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from curate.calculus.compile.bind import sizes_of, without_underscores
from curate.calculus.compile.liveness import condensed
from curate.calculus.compile.plan import Planner
from curate.calculus.compile.program import Operation
from curate.calculus.errors import CalculusError
from curate.calculus.graph.node import Node, Term, walk
from curate.calculus.graph.sizes import symbols_of
from curate.calculus.rules.structure import apply_structure
from curate.calculus.scoped import Scoped


@dataclass(frozen=True, repr=False)
class Explanation:
    """What was simplified, and what every step costs; ``print`` shows it.

    Attributes:
        steps: the lines of the program, each with its flops and bytes (float64).
        flops, bytes: their sums.
        elements: of the result.
        core_elements: elements that are computed before unit tensors spread them.
        text: all of it in words.
    """

    steps: tuple[Operation, ...]
    flops: int
    bytes: int
    elements: int
    core_elements: int
    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return (
            f"Explanation({len(self.steps)} steps, {self.flops:.4g} flops, {self.bytes:.4g} bytes, "
            f"{self.elements:.4g} elements)"
        )


def explain(expression: Scoped, values: Mapping[str, Any]) -> Explanation:
    """Explain an expression for these values or shapes (100 for sizes that are not given)."""
    values = without_underscores(values, expression.scope)
    shapes = {name: _shape(name, value) for name, value in values.items()}
    sizes = sizes_of(expression.scope, shapes, expression.reasons)
    node = apply_structure(expression.node)
    for below in (*walk(node), *expression.scope.values()):
        for dim in (*below.shape, *([below.data] if below.kind == "size" else [])):
            for symbol in () if dim in sizes else symbols_of(dim):
                sizes.setdefault(symbol, 100)
    planner = Planner(sizes)
    root = planner.lower(node)
    assert not isinstance(root, list)
    steps = tuple(condensed(planner.program.operations, [root]))
    flops, moved = sum(step.flops for step in steps), sum(step.bytes for step in steps)
    shape = planner.shape(node)
    elements = math.prod(shape)
    cores = sum(_core(term, shape) for term in node.terms)
    lines = [f"{expression}", f"shape {shape}: {elements:,} elements", ""]
    lines += _simplified(expression, node, shape, planner)
    lines += ["", "steps (flops, bytes in float64):"]
    for step in steps:
        args = ", ".join(value.name for value in step.args)
        lines.append(
            f"  {step.target.name:>4} = {step.kind}({args}) {step.target.shape}: "
            f"{step.flops:,} flops, {step.bytes:,} bytes"
        )
    lines += [f"together {flops:,} flops, {moved:,} bytes", ""]
    lines += _against_naive(expression, planner, flops)
    return Explanation(steps, flops, moved, elements, cores, "\n".join(lines))


def _shape(name: str, value: Any) -> tuple[int, ...]:
    if isinstance(value, tuple) and all(isinstance(size, int) for size in value):
        return value
    try:
        return tuple(value.shape) if hasattr(value, "shape") else np.shape(value)
    except (TypeError, ValueError) as error:
        raise CalculusError(f"{name}: a value or a shape is needed, not {value!r}") from error


def _core(term: Term, shape: tuple[int, ...]) -> int:
    read = {label for _, labels in term.factors for label in labels}
    return math.prod(shape[term.out.index(label)] for label in read & set(term.out))


def _simplified(
    expression: Scoped, node: Node, shape: tuple[int, ...], planner: Planner
) -> list[str]:
    lines = ["simplified:"]
    read = {below.data[0] for below in walk(node) if below.kind == "variable"}
    unread = sorted(set(expression.scope) - read)
    if unread:
        lines.append(f"  {', '.join(unread)} dropped out: the result does not read them")
    for term in node.terms:
        if len(set(term.out)) < len(term.out):
            lines.append(
                f"  a unit tensor is never formed: {_core(term, shape):,} of {math.prod(shape):,} "
                "elements are computed, the others are repeats or stay zero"
            )
    uses: dict[Node, int] = {}
    for below in walk(node):
        for operand in below.operands:
            uses[operand] = uses.get(operand, 0) + 1
    shared = [n for n, count in uses.items() if count > 1 and n.kind not in ("variable", "size")]
    if shared:
        lines.append(f"  {len(shared)} subexpressions are computed once and read several times")
    if len(node.terms) > 1:
        lines.append(f"  equal terms are merged: {len(node.terms)} are left")
    stable = {"logsumexp", "softplus", "sigmoid"} & {
        str(n.data) if n.kind == "map" else n.kind for n in walk(node)
    }
    if stable:
        lines.append(f"  exponentials are kept from overflowing by {', '.join(sorted(stable))}")
    if planner.solved:
        lines.append(
            f"  {len(planner.solved)} inverses are never formed: a factorisation, and solves"
        )
    return lines if len(lines) > 1 else [*lines, "  nothing"]


def _against_naive(expression: Scoped, planner: Planner, flops: int) -> list[str]:
    if not expression.columns:
        return []
    shape = planner.shape(expression.node)
    columns = math.prod(shape[len(shape) - expression.columns :])
    rows = math.prod(shape) // max(1, columns)
    passes = min(rows, columns)
    return [
        f"why this is faster: automatic differentiation of the {rows:,} x {columns:,} matrix runs "
        f"one pass over the derivative below it per row or column, {passes:,} passes, and each "
        "pass multiplies through unit tensors element by element. Here the whole derivative is "
        f"the {flops:,} flops above, contracted in the cheapest order, in matrix products."
    ]
