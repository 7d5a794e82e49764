"""A straight-line program of torch calls: values, operations, and the text of a function."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

REUSED_FROM = 4096
"""Elements from which a dead buffer is worth writing into (below, the call costs more)."""

HALVED_FROM = 48
"""Rows from which a symmetric product is computed by half."""
GRAM = "gram({0}, {1}{out})"
MATMUL = "torch.mm({0}, {1}{out})"


class Value(NamedTuple):
    """A tensor of the program."""

    name: str
    shape: tuple[int, ...]


@dataclass
class Operation:
    """One line: ``target = call(...)``.

    Attributes:
        call: ``torch.mm({0}, {1})``-like text; ``{out}`` marks where an ``out=`` may go.
        elementwise: whether it may write over one of its own operands.
        view: whether the target shares memory with its first operand.
        writes: whether it changes its first operand in place.
    """

    target: Value
    call: str
    args: tuple[Value, ...]
    flops: int
    elementwise: bool = False
    view: bool = False
    writes: bool = False

    @property
    def bytes(self) -> int:
        """Bytes read and written in float64, views being free."""
        if self.view:
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
        call: str,
        args: tuple[Value, ...],
        shape: tuple[int, ...],
        flops: int = 0,
        *,
        elementwise: bool = False,
        view: bool = False,
    ) -> Value:
        """Add an operation, or find the equal one that is there."""
        key = (call, args)
        if key in self._known:
            return self._known[key]
        value = self._new(shape)
        self.operations.append(Operation(value, call, args, flops, elementwise, view))
        self._known[key] = value
        matrices = [arg for arg in args if arg.shape]
        if elementwise and matrices and all(arg.name in self.symmetric for arg in matrices):
            self.symmetric.add(value.name)
        return value

    def multiply(self, left: Value, right: Value, flops: int) -> Value:
        """The product of two matrices; of symmetric ones in whichever order is there already."""
        turned = (MATMUL, (right, left))
        if turned in self._known and {left.name, right.name} <= self.symmetric:
            known = self._known[turned]
            return self.emit("{0}.t()", (known,), known.shape[::-1], view=True)
        return self.emit(MATMUL, (left, right), (left.shape[0], right.shape[1]), flops)

    def halve(self, value: Value) -> None:
        """Note that a matrix product (or a view of one) is symmetric: half of it is enough."""
        by_name = {op.target.name: op for op in self.operations}
        op = by_name.get(value.name)
        while op and op.view:
            op = by_name.get(op.args[0].name)
        if op and op.call == MATMUL and op.target.shape[0] >= HALVED_FROM:
            op.call = GRAM
            op.flops = op.flops * 5 // 8

    def emit_owned(self, call: str, args: tuple[Value, ...], shape: tuple[int, ...]) -> Value:
        """Add an operation whose result is going to be changed in place: never shared."""
        value = self._new(shape)
        self.operations.append(Operation(value, call, args, 0))
        return value

    def change(self, call: str, args: tuple[Value, ...], flops: int) -> None:
        """Change the first operand in place."""
        self.operations.append(Operation(Value("_", args[0].shape), call, args, flops, writes=True))

    def _new(self, shape: tuple[int, ...]) -> Value:
        self._count += 1
        return Value(f"t{self._count}", shape)
