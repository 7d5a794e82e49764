"""Products with patterns: axes are cut, joined or placed, and few patterns are ever formed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from curate.calculus.compile.assemble import without_repeats
from curate.calculus.compile.contract import Labelled, permuted, reshaped
from curate.calculus.compile.program import Program, Value
from curate.calculus.compile.solving import Inverse
from curate.calculus.errors import ShapeError
from curate.calculus.graph.node import Labels

Operand = Labelled | Inverse
Finish = Callable[[Labelled], Labelled]


class Pattern(NamedTuple):
    """A pattern among the factors of a product.

    Attributes:
        kind: ``index, select, fuse, lower``.
        start: the place of an index, the start of a selection.
        shape: sizes of its axes.
        labels: of its axes.
    """

    kind: str
    start: int
    shape: tuple[int, ...]
    labels: Labels

    @property
    def whole(self) -> int:
        """The label of the axis that is cut, or that the others are joined to."""
        return self.labels[0] if self.kind == "fuse" else self.labels[-1]

    @property
    def parts(self) -> Labels:
        """The other labels."""
        return self.labels[1:] if self.kind == "fuse" else self.labels[:-1]


class Product:
    """Operands and output labels of a product, from which patterns are taken out one by one."""

    def __init__(self, program: Program, operands: Sequence[Operand], out: Labels) -> None:
        self.program, self.operands, self.out = program, list(operands), out
        self.scale = 1.0
        self.steps: list[Finish] = []

    def absorb(self, patterns: Sequence[Pattern]) -> None:
        """Take the patterns out, or form them."""
        todo = list(patterns)
        while todo:
            pattern = todo.pop(0)
            if self._blocked(pattern):
                self.form(pattern)
                continue
            if self._joined(pattern, todo):
                continue
            for other in [p for p in todo if pattern.whole in p.labels]:
                todo.remove(other)
                self.form(other)
            self._take_out(pattern, todo)

    def form(self, pattern: Pattern) -> None:
        """Multiply with the pattern as a tensor."""
        value = dense(self.program, pattern.kind, pattern.shape, pattern.start)
        self.operands.append(without_repeats(self.program, value, pattern.labels))

    def finished(self, core: Labelled) -> Labelled:
        """The result with the axes that it has to have."""
        for step in reversed(self.steps):
            core = step(core)
        return core

    def _blocked(self, pattern: Pattern) -> bool:
        if pattern.kind == "lower" or len(set(pattern.labels)) < len(pattern.labels):
            return True
        if pattern.whole in self.out and set(pattern.parts) & set(self.out):
            return True
        return any(isinstance(o, Inverse) and pattern.whole in o.labels for o in self.operands)

    def _joined(self, pattern: Pattern, others: Sequence[Pattern]) -> bool:
        """Join the axes of the one operand that has them; whether nothing else has."""
        if any(isinstance(o, Inverse) and set(pattern.parts) & {*o.labels} for o in self.operands):
            return False
        every = [o for o in self.operands if isinstance(o, Labelled)]
        mine = [operand for operand in every if set(pattern.parts) & set(operand.labels)]
        elsewhere = set(self.out).union(*(p.labels for p in others))
        if pattern.kind != "fuse" or len(mine) != 1:
            return False
        (operand,) = mine
        if set(pattern.parts) & elsewhere or not set(pattern.parts) <= set(operand.labels):
            return False
        rest = tuple(i for i in operand.labels if i not in pattern.parts)
        value = permuted(self.program, operand, (*pattern.parts, *rest))
        shape = (pattern.shape[0], *value.shape[2:])
        joined = Labelled(reshaped(self.program, value, shape), (pattern.whole, *rest))
        at = self.operands.index(operand)
        self.operands[at] = without_repeats(self.program, *joined)
        return True

    def _take_out(self, pattern: Pattern, others: Sequence[Pattern]) -> None:
        self.operands = [
            self._cut(operand, pattern)
            if isinstance(operand, Labelled) and pattern.whole in operand.labels
            else operand
            for operand in self.operands
        ]
        if pattern.whole in self.out:
            at = self.out.index(pattern.whole)
            self.out = (*self.out[:at], *pattern.parts, *self.out[at + 1 :])
            self.steps.append(lambda core: self._placed(core, pattern))
            return
        read = set(self.out).union(*(o.labels for o in self.operands), *(p.labels for p in others))
        self.scale *= math.prod(self._size(pattern, i) for i in pattern.parts if i not in read)

    @staticmethod
    def _size(pattern: Pattern, label: int) -> int:
        return pattern.shape[pattern.labels.index(label)]

    def _cut(self, operand: Labelled, pattern: Pattern) -> Labelled:
        value, labels = operand
        axis = labels.index(pattern.whole)
        before, after = value.shape[:axis], value.shape[axis + 1 :]
        sizes = tuple(self._size(pattern, i) for i in pattern.parts)
        if pattern.kind == "fuse":
            if value.shape[axis] != math.prod(sizes):
                raise ShapeError(
                    f"reshape: {value.shape[axis]} elements into {sizes}; give sizes that multiply "
                    "to that"
                )
            value = reshaped(self.program, value, (*before, *sizes, *after))
        else:
            place: dict[str, int] = {"axis": axis, "start": pattern.start}
            if sizes:
                place["size"] = sizes[0]
            kind = "narrow" if sizes else "select"
            value = self.program.emit(kind, (value,), (*before, *sizes, *after), **place)
        labels = (*labels[:axis], *pattern.parts, *labels[axis + 1 :])
        return without_repeats(self.program, value, labels)

    def _placed(self, core: Labelled, pattern: Pattern) -> Labelled:
        core = self._with_axes(core, pattern)
        rest = tuple(i for i in core.labels if i not in pattern.parts)
        order = (*pattern.parts, *rest)
        value = permuted(self.program, core, order)
        size = self._size(pattern, pattern.whole)
        shape = (size, *value.shape[len(pattern.parts) :])
        if pattern.kind == "fuse":
            return Labelled(reshaped(self.program, value, shape), (pattern.whole, *rest))
        kind = "placed" if pattern.parts else "placed_at"
        value = self.program.emit(kind, (value,), shape, start=pattern.start, size=size)
        return Labelled(value, (pattern.whole, *rest))

    def _with_axes(self, core: Labelled, pattern: Pattern) -> Labelled:
        """The core, repeated along the parts of the pattern that it lacks."""
        for label in pattern.parts:
            if label not in core.labels:
                shape = (self._size(pattern, label), *core.value.shape)
                value = self.program.emit("expand", (core.value,), shape)
                core = Labelled(value, (label, *core.labels))
        return core


def dense(program: Program, kind: str, shape: tuple[int, ...], start: int) -> Value:
    """A pattern as a tensor."""
    return program.emit_owned("pattern", (), shape, name=kind, start=start)
