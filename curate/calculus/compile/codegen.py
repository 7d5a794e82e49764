"""Generate the Python source of a program, and compile it to a function."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch

from curate.calculus.compile import memory, numpy_calls, runtime
from curate.calculus.compile.liveness import Liveness, condensed, uses_of
from curate.calculus.compile.program import Operation, Program, Value
from curate.calculus.matrix_functions import FUNCTIONS as MATRIX_FUNCTIONS
from curate.calculus.special import FUNCTIONS

_RUNTIME: dict[str, Any] = {
    "torch": torch,
    "constant": runtime.constant,
    **FUNCTIONS,
    "log_det": runtime.log_det,
    "pattern": runtime.pattern,
    "placed": runtime.placed,
    "placed_at": runtime.placed_at,
    "signed_svd": runtime.signed_svd,
    **MATRIX_FUNCTIONS,
    "lu_log_det": runtime.lu_log_det,
    "cholesky": runtime.cholesky,
    "inverse": runtime.inverse,
    "inverse_and_logdet": runtime.inverse_and_logdet,
    "solve": runtime.solve,
    "factors": runtime.factors,
    "lu_logdet": runtime.lu_logdet,
    "gram": runtime.gram,
    "pooled_empty": memory.pooled_empty,
    "pooled_like": memory.pooled_like,
    "from_numpy": torch.from_numpy,
    "inf": math.inf,
    "nan": math.nan,
    **numpy_calls.NAMESPACE,
}


class Text:
    """The lines of one function, one per operation; what is dead is deleted."""

    def __init__(self, program: Program, roots: list[Value], in_numpy: Collection[int]) -> None:
        self.operations = program.operations
        self.roots = roots
        self.live = Liveness(self.operations, roots, program.inputs.values())
        self.in_numpy = in_numpy
        self.constants: dict[str, str] = {}
        self.made = {op.target.name: op for op in self.operations if not op.how.writes}
        self.inside = {
            op.target.name
            for k, op in enumerate(self.operations)
            if k in in_numpy and not op.how.writes
        }

    def body(self, *, patterns: Sequence[tuple] | None = None, out: bool = False) -> list[str]:
        """The lines; with ``out``, the root is written into the tensor of that name."""
        self.lines: list[str] = []
        self.converted: set[tuple[str, bool]] = set()
        source = self._written_root() if out else None
        for k, op in enumerate(self.operations):
            inside = k in self.in_numpy
            destination = "" if inside else self.live.dead_operand(op, k)
            if op is source:
                destination = self._destination(op.target.shape, inside)
            self._write(op, inside, destination)
            dead = self.live.dead_after(op, k)
            dead += [self._other(n) for n in dead if (n, n not in self.inside) in self.converted]
            if dead:
                self.lines.append(f"del {', '.join(dead)}")
        if patterns is not None:
            names = [self._as(value, False) for value in self.roots]
            pairs = zip(names, patterns, strict=True)
            cores = (f"({name}, {', '.join(map(repr, pattern))})" for name, pattern in pairs)
            self.lines.append(f"return [{', '.join(cores)}]")
        else:
            self.lines.append(f"return {self._result(out, source)}")
        if not self.in_numpy:
            return self.lines
        return ['with errstate(all="ignore"):', *(f"    {line}" for line in self.lines)]

    def _written_root(self) -> Operation | None:
        """The operation that can write the root's numbers where they belong."""
        value, uses = self.roots[0], uses_of(self.operations, self.roots)
        op = self.made.get(value.name)
        while op and op.kind == "reshape" and uses[op.args[0].name] == 1:
            op = self.made.get(op.args[0].name)
        if op is None:
            return None
        if op.kind == "zeros":
            return op if op.target.name == value.name else None
        return op if op.how.takes_out(op.target.name in self.inside) else None

    def _destination(self, shape: tuple[int, ...], inside: bool) -> str:
        """The name of the memory that the root is written into."""
        name = "out"
        if shape != self.roots[0].shape:
            self.lines.append(f"o = out.view({shape})")
            name = "o"
        if inside:
            self.lines.append(f"o = {name}.numpy()")
            name = "o"
        return name

    def _other(self, name: str) -> str:
        return f"{name}_{'t' if name in self.inside else 'n'}"

    def _as(self, value: Value, inside: bool) -> str:
        """The name of a value as an array (inside numpy) or a tensor."""
        name = value.name
        if (name in self.inside) == inside:
            return name
        other = self._other(name)
        if (name, inside) not in self.converted:
            self.converted.add((name, inside))
            if inside:
                self.lines.append(f"{other} = {name}.numpy()")
            else:
                array = name if value.shape else f"asarray({name}, dtype)"
                self.lines.append(f"{other} = from_numpy({array})")
        return other

    def _write(self, op: Operation, inside: bool, destination: str) -> None:
        names = [self._as(value, inside) for value in op.args]
        shape, how = op.target.shape, op.how
        if destination and op.kind == "zeros":
            text = f"zeroed({destination})" if inside else f"{destination}.zero_()"
        else:
            large = math.prod(shape) * 8 >= memory.PAGED_FROM
            if large and not destination and how.takes_out(inside):
                maker = "pooled_like" if how.elementwise else "pooled_empty"
                operands = ", ".join(names if how.elementwise else ["like"])
                destination = f"{maker}({shape}, {operands})"
            put = f", out={destination}" if destination else ""
            constants = numpy_calls.Constants(self.constants, op.parameters)
            text = how.text(inside).format(
                *names, shape=shape, out=put, c=constants, **op.parameters
            )
        self.lines.append(text if how.writes else f"{op.target.name} = {text}")

    def _result(self, out: bool, source: Operation | None) -> str:
        root = self.roots[0]
        if source is not None:
            return "out"
        name = self._as(root, False)
        if out:
            return f"out.copy_({name})"
        op = self.made.get(root.name)
        spread = op is not None and op.kind in ("expand", "diagonal")
        return f"{name}.clone()" if self.live.of_input(root) or spread else name


def function(
    program: Program,
    roots: list[Value],
    *,
    patterns: Sequence[tuple] | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[Any, str]:
    """Compile: a function of (like, inputs in order), and its text.

    With ``patterns`` it returns a list with one tuple per root: the root, and its pattern.
    Otherwise it returns the only root, and the function's attribute ``into`` writes that into a
    contiguous tensor, its first argument.

    Args:
        dtype: of the values, where they lie on the CPU and numpy may do what is small.
    """
    program.operations = condensed(program.operations, roots)
    in_numpy = () if dtype is None else numpy_calls.choose_numpy_calls(program, roots)
    text = Text(program, roots, in_numpy)
    arguments = ", ".join(["like", *(value.name for value in program.inputs.values())])
    parts = []
    if patterns is None:
        parts.append(_definition(f"run_into(out, {arguments})", text.body(out=True)))
        large = math.prod(roots[0].shape) * 8 >= memory.RECYCLED_FROM
        if large and "return out.copy_" not in parts[0]:
            call = f"run_into(pooled_empty({roots[0].shape}, like), {arguments})"
            parts.insert(0, _definition(f"run({arguments})", [f"return {call}"]))
    if len(parts) < 2:
        parts.insert(0, _definition(f"run({arguments})", text.body(patterns=patterns)))
    source = "\n\n".join(parts)
    namespace: dict[str, Any] = dict(_RUNTIME)
    if dtype is not None:
        namespace["dtype"] = np.dtype(str(dtype).removeprefix("torch."))
        for number, name in text.constants.items():
            namespace[name] = np.array(float(number), namespace["dtype"])
    exec(compile(source, "<curate.calculus program>", "exec"), namespace)
    run = namespace["run"]
    run.into = namespace.get("run_into")
    return run, source


def _definition(head: str, lines: list[str]) -> str:
    return f"def {head}:\n" + "\n".join(f"    {line}" for line in lines)
