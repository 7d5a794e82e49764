"""Lifetimes of a program's buffers: which are freed early, and which copies are not needed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from curate.calculus.compile.program import Operation, Value

REUSED_FROM = 4096
"""Elements from which a dead buffer is worth writing into (below, the call costs more)."""
_TAKES_SCALE = {"mm": "mm_scaled", "bmm": "bmm_scaled", "gram": "gram_scaled"}


class Liveness:
    """The owner of every value's memory, and the last operation that reads it."""

    def __init__(
        self, operations: Sequence[Operation], roots: Sequence[Value], inputs: Iterable[Value]
    ) -> None:
        self.base: dict[str, str] = {value.name: value.name for value in inputs}
        self.inputs = set(self.base)
        for op in operations:
            if not op.how.writes:
                name = op.target.name
                self.base[name] = self.base[op.args[0].name] if op.how.view else name
        self.last: dict[str, int] = {}
        for k, op in enumerate(operations):
            for value in op.args:
                self.last[self.base[value.name]] = k
        for root in roots:
            self.last[self.base[root.name]] = len(operations)
        self.names: dict[str, list[str]] = {}
        for name, owner in self.base.items():
            self.names.setdefault(owner, []).append(name)

    def of_input(self, value: Value) -> bool:
        """Whether a value lies in the caller's memory."""
        return self.base[value.name] in self.inputs

    def dead_operand(self, op: Operation, k: int) -> str:
        """A large operand of the result's shape that nothing reads after this operation.

        Without writing into it the Hessian of a Gaussian process (n = 400) takes 1.2 times as long.
        """
        if not op.how.elementwise or math.prod(op.target.shape) < REUSED_FROM:
            return ""
        for value in op.args:
            name = value.name
            owned = self.base[name] == name and name not in self.inputs
            # as the transpose of it would be: torch refuses, and numbers would be lost
            viewed = any(self.base[v.name] == name != v.name for v in op.args)
            if owned and not viewed and value.shape == op.target.shape and self.last[name] == k:
                return name
        return ""

    def dead_after(self, op: Operation, k: int) -> list[str]:
        """Names of the buffers, and of their views, that nothing reads after this operation.

        Freed at once, a small array's memory is that of the next one while it is in the caches (a
        deep net takes 1.05 times as long without), and large ones need less memory together.
        """
        read = {self.base[value.name] for value in op.args} - self.inputs
        return [
            name for owner in sorted(read) if self.last[owner] == k for name in self.names[owner]
        ]


def uses_of(operations: Sequence[Operation], roots: Sequence[Value]) -> Counter[str]:
    """How many operations and roots read each value."""
    uses = Counter(root.name for root in roots)
    for op in operations:
        uses.update(value.name for value in op.args)
    return uses


def condensed(operations: list[Operation], roots: list[Value]) -> list[Operation]:
    """The operations without copies and scalings of what nothing else reads.

    A copy is made to be changed in place, and a product takes a scale in its stride. A net's
    Hessian takes up to 1.75 times as long without the one, and 1.12 times without the other.
    """
    makers = {op.target.name: op for op in operations if not op.how.writes}
    uses = uses_of(operations, roots)
    kept: list[Operation] = []
    renamed: dict[str, Value] = {}
    for op in operations:
        op.args = tuple(renamed.get(value.name, value) for value in op.args)
        if _given_to_operand(op, makers, uses):
            renamed[op.target.name] = op.args[0]
            uses[op.args[0].name] = uses[op.target.name]
        else:
            kept.append(op)
    roots[:] = [renamed.get(root.name, root) for root in roots]
    return kept


def _given_to_operand(op: Operation, makers: dict[str, Operation], uses: Counter[str]) -> bool:
    """Whether the operand can stand for the result; a product has taken the scale then."""
    if op.kind not in ("copy", "scale"):
        return False
    maker = makers.get(op.args[0].name)
    while maker and uses[maker.target.name] == 1 and maker.how.view:
        if op.kind == "copy" and maker.kind != "reshape":
            return False
        maker = makers.get(maker.args[0].name)
    if maker is None or uses[maker.target.name] != 1:
        return False
    if op.kind == "scale":
        if maker.kind not in _TAKES_SCALE:
            return False
        maker.kind, maker.parameters = _TAKES_SCALE[maker.kind], op.parameters
    return True
