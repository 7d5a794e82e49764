"""Lifetimes of a program's buffers: which may be overwritten, and which are freed early."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from curate.calculus.compile.program import REUSED_FROM, Operation, Value


class Liveness:
    """The owner of every value's memory, and the last operation that reads it."""

    def __init__(
        self, operations: Sequence[Operation], roots: Sequence[Value], inputs: Iterable[Value]
    ) -> None:
        self.operations = operations
        self.base: dict[str, str] = {value.name: value.name for value in inputs}
        self.inputs = set(self.base)
        for op in operations:
            if not op.writes:
                shares = op.view and op.args
                self.base[op.target.name] = self.base[op.args[0].name] if shares else op.target.name
        self.last: dict[str, int] = {}
        for k, op in enumerate(operations):
            for value in op.args:
                self.last[self.base[value.name]] = k
        for root in roots:
            self.last[self.base[root.name]] = len(operations)
        self.uses = uses_of(operations, roots)
        self.index = {op.target.name: k for k, op in enumerate(operations) if not op.writes}
        self.shapes = {op.target.name: op.target.shape for op in operations}
        self.views: dict[str, list[str]] = {}
        for name, owner in self.base.items():
            self.views.setdefault(owner, []).append(name)

    def of_input(self, value: Value) -> bool:
        """Whether a value lies in the caller's memory."""
        return self.base[value.name] in self.inputs

    def dead_operand(self, op: Operation, k: int) -> str | None:
        """An operand of the result's shape that nothing reads after this operation."""
        if math.prod(op.target.shape) < REUSED_FROM:
            return None
        for value in op.args:
            name = value.name
            owned = self.base[name] == name and name not in self.inputs
            # as the transpose of it would be: torch refuses, and numbers would be lost
            viewed = any(self.base[v.name] == name != v.name for v in op.args)
            if owned and not viewed and value.shape == op.target.shape and self.last[name] == k:
                return name
        return None

    def dead_after(
        self, op: Operation, k: int, destination: str | None, dropped: set[str]
    ) -> list[str]:
        """Names of large buffers, and of their views, that nothing reads after this operation."""
        gone = {self.base[value.name] for value in op.args} - self.inputs - dropped
        dead = sorted(n for n in gone if self.last[n] == k and n not in (destination, op.target))
        dropped.update(dead)
        if not any(math.prod(self.shapes[name]) >= REUSED_FROM for name in dead):
            return []
        return [
            view
            for name in dead
            for view in self.views[name]
            if self.index[view] <= k and view != op.target.name
        ]


_NAME = re.compile(r"\bt\d+(?:_[nt])?\b")


def names_reused(lines: list[str]) -> list[str]:
    """The lines, with names of dead values reused for new ones.

    A small array is then freed after its last use, and the next one gets its memory while that is
    still in the caches.
    """
    last = {name: k for k, line in enumerate(lines) for name in _NAME.findall(line)}
    given: dict[str, str] = {}
    free: list[str] = []
    renamed = []
    for k, line in enumerate(lines):
        found = dict.fromkeys(_NAME.findall(line))
        free += [given[name] for name in found if name in given and last[name] == k]
        for name in found:
            if name not in given:
                given[name] = free.pop() if free else f"t{len(given) + 1}"
        renamed.append(_NAME.sub(lambda match: given[match[0]], line))
    return renamed


def uses_of(operations: Sequence[Operation], roots: Sequence[Value]) -> Counter[str]:
    """How many operations and roots read each value."""
    uses = Counter(root.name for root in roots)
    for op in operations:
        uses.update(value.name for value in op.args)
    return uses


def without_clones(operations: list[Operation], roots: list[Value]) -> list[Operation]:
    """Drop copies that were made to be changed in place where nothing else reads the original."""
    makers = {op.target.name: op for op in operations if not op.writes}
    uses = uses_of(operations, roots)
    kept: list[Operation] = []
    renamed: dict[str, Value] = {}
    for op in operations:
        op.args = tuple(renamed.get(value.name, value) for value in op.args)
        if "{own}" in op.call and _owned(op.args[0], makers, uses):
            renamed[op.target.name] = op.args[0]
            continue
        kept.append(op)
    roots[:] = [renamed.get(root.name, root) for root in roots]
    return kept


def _owned(value: Value, makers: dict[str, Operation], uses: Counter[str]) -> bool:
    """Whether the program allocated a value's memory and only this value refers to it."""
    maker = makers.get(value.name)
    while maker and uses[maker.target.name] == 1 and ".reshape(" in maker.call:
        maker = makers.get(maker.args[0].name)
    return bool(maker and uses[maker.target.name] == 1 and not maker.view)
