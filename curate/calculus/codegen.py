"""The Python text of a program, and the function that it becomes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch

from curate.calculus.errors import CalculusError
from curate.calculus.program import REUSED_FROM, Operation, Program, Value

_constants: dict[tuple[float, torch.dtype, torch.device], torch.Tensor] = {}


def constant(value: float, like: torch.Tensor) -> torch.Tensor:
    """A number as a tensor without axes."""
    key = (value, like.dtype, like.device)
    if key not in _constants:
        _constants[key] = like.new_full((), value)
    return _constants[key]


def softplus(u: torch.Tensor) -> torch.Tensor:
    """``log(1 + exp u)``; torch's own threshold of 20 would cost 2e-9."""
    return torch.nn.functional.softplus(u, 1.0, 40.0)


def cholesky(matrix: torch.Tensor) -> torch.Tensor:
    """The lower factor.

    Raises:
        CalculusError: the matrix is not positive definite.
    """
    try:
        return torch.linalg.cholesky(matrix)
    except torch.linalg.LinAlgError as error:
        raise CalculusError(
            "a matrix that is declared positive definite is not so; declare it 'symmetric matrix' "
            f"or mend its values ({error})"
        ) from None


def gram(
    left: torch.Tensor,
    right: torch.Tensor,
    alpha: float = 1.0,
    *,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """``alpha * left @ right`` for a symmetric product: block rows up to the diagonal, mirrored."""
    n = len(left)
    blocks = 1 if left.is_cuda else max(1, min(8, n // 96))
    result = left.new_empty(n, n) if out is None else out.view(n, n)
    zero = constant(0.0, left)
    edges = [n * k // blocks for k in range(blocks + 1)]
    for start, end in pairwise(edges):
        block = torch.addmm(zero, left[start:end], right[:, :end], beta=0, alpha=alpha)
        result[start:end, :end] = block
        if start:
            result[:start, start:end] = block[:, :start].t()
    return result if out is None else out


NAMESPACE = {
    "gram": gram,
    "torch": torch,
    "softplus": softplus,
    "cholesky": cholesky,
    "constant": constant,
}


class Text:
    """Lines of one function, with buffers that die written over and dropped."""

    def __init__(self, program: Program, roots: list[Value], many: bool) -> None:
        self.many = many
        self.operations = _without_clones(program.operations, roots)
        self.roots = roots
        self.base: dict[str, str] = {value.name: value.name for value in program.inputs.values()}
        self.inputs = set(self.base)
        for op in self.operations:
            if not op.writes:
                shares = op.view and op.args
                self.base[op.target.name] = self.base[op.args[0].name] if shares else op.target.name
        self.last: dict[str, int] = {}
        for k, op in enumerate(self.operations):
            for value in op.args:
                self.last[self.base[value.name]] = k
        for root in roots:
            self.last[self.base[root.name]] = len(self.operations)
        self.contiguous = {op.target.name for op in self.operations if not op.view}

    def lines(self, out: bool) -> list[str]:
        """The body; with ``out``, the root is written into the tensor of that name."""
        lines = []
        dropped: set[str] = set()
        root = self.roots[0] if self.roots else None
        direct = out and root is not None and self._takes_out(root)
        for k, op in enumerate(self.operations):
            destination = None
            if direct and op.target == root and not op.writes:
                destination = "out"
            elif op.elementwise and math.prod(op.target.shape) >= REUSED_FROM:
                destination = self._dead_operand(op, k)
            lines.append(self._line(op, destination))
            gone = {self.base[value.name] for value in op.args} - self.inputs - dropped
            dead = sorted(name for name in gone if self.last[name] == k and name != destination)
            dropped.update(dead)
            big = [n for n in dead if n in self.contiguous and n != op.target.name]
            views = {
                n: [v for v, b in self.base.items() if b == n and v != op.target.name] for n in big
            }
            names = [v for n in big for v in views[n] if self._defined(v, k)]
            if names and any(self._large(n) for n in big):
                lines.append(f"del {', '.join(names)}")
        return [*lines, self._return(out, direct)]

    def _defined(self, name: str, k: int) -> bool:
        return any(op.target.name == name for op in self.operations[: k + 1])

    def _large(self, name: str) -> bool:
        shape = next(op.target.shape for op in self.operations if op.target.name == name)
        return math.prod(shape) >= REUSED_FROM

    def _takes_out(self, root: Value) -> bool:
        return any(
            op.target == root and any(mark in op.call for mark in ("{out}", "{zero}"))
            for op in self.operations
        )

    def _dead_operand(self, op: Operation, k: int) -> str | None:
        for value in op.args:
            name = value.name
            fresh = name in self.contiguous and self.base[name] not in self.inputs
            if fresh and value.shape == op.target.shape and self.last[self.base[name]] == k:
                return name
        return None

    def _line(self, op: Operation, destination: str | None) -> str:
        names = [value.name for value in op.args]
        call = op.call
        if destination == "out" and "{zero}" in call:
            return f"{op.target.name} = out.zero_()"
        put = f", out={destination}" if destination and "{out}" in call else ""
        call = call.replace("{out}", put).replace("{zero}", "").replace("{own}", "")
        for k, name in enumerate(names):
            call = call.replace(f"{{{k}}}", name)
        return call if op.writes else f"{op.target.name} = {call}"

    def _return(self, out: bool, direct: bool) -> str:
        if self.many:
            return f"return ({''.join(root.name + ', ' for root in self.roots)})"
        root = self.roots[0]
        if direct:
            return "return out"
        if out:
            return f"return out.copy_({root.name})"
        shared = self.base[root.name] in self.inputs or any(
            op.target == root and ".expand(" in op.call for op in self.operations
        )
        return f"return {root.name}.clone()" if shared else f"return {root.name}"


def _without_clones(operations: list[Operation], roots: list[Value]) -> list[Operation]:
    """Leave out a copy made for changing in place where nothing else reads the original."""
    produced = {op.target.name: op for op in operations if not op.writes}
    kept: list[Operation] = []
    renamed: dict[str, Value] = {}
    for k, op in enumerate(operations):
        args = tuple(renamed.get(value.name, value) for value in op.args)
        if "{own}" in op.call:
            (source,) = args
            maker = produced.get(source.name)
            later = any(source in other.args for other in operations[k + 1 :])
            views = any(other.view and source in other.args for other in operations)
            if maker and not maker.view and not later and not views and source not in roots:
                renamed[op.target.name] = source
                continue
        target = renamed.get(op.target.name, op.target)
        kept.append(Operation(target, op.call, args, op.flops, op.elementwise, op.view, op.writes))
    roots[:] = [renamed.get(root.name, root) for root in roots]
    return kept


def function(program: Program, roots: list[Value], *, many: bool = False) -> tuple[Any, str]:
    """Compile: a function of (like, inputs in order), and its text.

    With ``many`` it returns the tuple of the roots; else the one root, and its attribute ``into``
    writes that into a tensor given first.
    """
    text = Text(program, roots, many)
    arguments = ", ".join(["like", *(value.name for value in program.inputs.values())])
    source = f"def run({arguments}):\n" + _indented(text.lines(False))
    if not many:
        source += f"\n\ndef run_into(out, {arguments}):\n" + _indented(text.lines(True))
    namespace: dict[str, Any] = dict(NAMESPACE)
    exec(compile(source, "<curate.calculus program>", "exec"), namespace)
    run = namespace["run"]
    run.into = namespace.get("run_into")
    return run, source


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
