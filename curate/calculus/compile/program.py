"""A straight-line program of tensor operations: values, and the operations that make them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from curate.calculus.compile.operations import KINDS, Kind

HALVED_FROM = 48
"""Rows from which a symmetric product is computed by half (without: up to 1.5 times as long)."""


class Value(NamedTuple):
    """A tensor of the program."""

    name: str
    shape: tuple[int, ...]


@dataclass
class Operation:
    """One line: a kind of operations.py, its operands and parameters, and what it makes."""

    target: Value
    kind: str
    args: tuple[Value, ...]
    flops: int
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def how(self) -> Kind:
        """How it is written."""
        return KINDS[self.kind]

    @property
    def bytes(self) -> int:
        """Bytes read and written in float64, views being free."""
        if self.how.view:
            return 0
        return 8 * sum(math.prod(value.shape) for value in (self.target, *self.args))


@dataclass
class Program:
    """Operations in order, equal ones emitted once; ``symmetric`` names the values that are so."""

    operations: list[Operation] = field(default_factory=list)
    inputs: dict[str, Value] = field(default_factory=dict)
    symmetric: set[str] = field(default_factory=set)
    _known: dict[tuple, Value] = field(default_factory=dict)
    _count: int = 0

    def read(self, name: str, shape: tuple[int, ...]) -> Value:
        """A variable of the caller."""
        return self.inputs.setdefault(name, Value(f"v{len(self.inputs)}", shape))

    def emit(
        self,
        kind: str,
        args: tuple[Value, ...],
        shape: tuple[int, ...],
        flops: int = 0,
        **parameters: Any,
    ) -> Value:
        """Add an operation, or find the equal one that is there."""
        key = (kind, args, shape, *parameters.values())
        if key in self._known:
            return self._known[key]
        value = self._known[key] = self._new(kind, args, shape, flops, parameters)
        matrices = [arg for arg in args if arg.shape]
        elementwise = KINDS[kind].elementwise
        if elementwise and matrices and all(arg.name in self.symmetric for arg in matrices):
            self.symmetric.add(value.name)
        return value

    def multiply(self, left: Value, right: Value, flops: int) -> Value:
        """The product of two matrices; of symmetric ones in whichever order is there already."""
        turned = ("mm", (right, left), (right.shape[0], left.shape[1]))
        if turned in self._known and {left.name, right.name} <= self.symmetric:
            known = self._known[turned]
            return self.emit("t", (known,), known.shape[::-1])
        return self.emit("mm", (left, right), (left.shape[0], right.shape[1]), flops)

    def halve(self, value: Value) -> None:
        """Note that a matrix product (or a view of one) is symmetric: half of it is enough."""
        by_name = {op.target.name: op for op in self.operations}
        op = by_name.get(value.name)
        while op and op.how.view:
            op = by_name.get(op.args[0].name)
        if op and op.kind == "mm" and op.target.shape[0] >= HALVED_FROM:
            op.kind = "gram"
            op.flops = op.flops * 5 // 8

    def emit_owned(self, kind: str, args: tuple[Value, ...], shape: tuple[int, ...],
                   **parameters: Any) -> Value:  # fmt: skip
        """Add an operation whose result is going to be changed in place: never shared."""
        return self._new(kind, args, shape, 0, parameters)

    def change(self, kind: str, args: tuple[Value, ...], flops: int, **parameters: Any) -> None:
        """Change the first operand in place."""
        value = Value("_", args[0].shape)
        self.operations.append(Operation(value, kind, args, flops, parameters))

    def _new(self, kind: str, args: tuple[Value, ...], shape: tuple[int, ...], flops: int,
             parameters: dict[str, Any]) -> Value:  # fmt: skip
        self._count += 1
        value = Value(f"t{self._count}", shape)
        self.operations.append(Operation(value, kind, args, flops, parameters))
        return value
