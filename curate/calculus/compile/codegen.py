"""Generate the Python source of a program, and compile it to a function."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from curate.calculus.compile import memory, numpy_calls, runtime
from curate.calculus.compile.liveness import Liveness, names_reused, without_clones
from curate.calculus.compile.peephole import peephole
from curate.calculus.compile.program import Operation, Program, Value
from curate.calculus.matrix_functions import FUNCTIONS
from curate.calculus.special import where

_RUNTIME: dict[str, Any] = {
    "torch": torch,
    "constant": runtime.constant,
    **runtime.MAPS,
    **runtime.PAIRS,
    "where": where,
    "log_det": runtime.log_det,
    "pattern": runtime.pattern,
    "placed": runtime.placed,
    "placed_at": runtime.placed_at,
    "signed_svd": runtime.signed_svd,
    **FUNCTIONS,
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
    """The lines of one function: dead buffers are reused or deleted."""

    def __init__(self, program: Program, roots: list[Value], in_numpy: dict[int, str]) -> None:
        self.operations = program.operations
        self.roots = roots
        self.live = Liveness(self.operations, roots, program.inputs.values())
        self.in_numpy = in_numpy
        self.constants: dict[str, str] = {}
        self.made = {op.target.name: op for op in self.operations if not op.writes}
        self.inside = {
            op.target.name
            for k, op in enumerate(self.operations)
            if k in in_numpy and not op.writes
        }

    def lines(self, *, patterns: Sequence[tuple] | None = None, out: bool = False) -> list[str]:
        """The body; with ``out``, the root is written into the tensor of that name."""
        lines: list[str] = []
        self.converted: set[tuple[str, bool]] = set()
        self.dropped: set[str] = set()
        source = self._written_root() if out else None
        for k, op in enumerate(self.operations):
            destination = None
            if source is not None and op is source:
                destination = self._destination(op, k, lines)
            elif op.elementwise and k not in self.in_numpy:
                destination = self.live.dead_operand(op, k)
            lines.append(self._line(op, k, destination, lines))
            dead = self.live.dead_after(op, k, destination, self.dropped)
            if dead:
                lines.append(f"del {', '.join(dead)}")
        if patterns is not None:
            names = [self._as(value, False, lines) for value in self.roots]
            pairs = zip(names, patterns, strict=True)
            cores = (f"({name}, {', '.join(map(repr, pattern))})" for name, pattern in pairs)
            lines.append(f"return [{', '.join(cores)}]")
        else:
            lines.append(self._return(out, source, lines))
        lines = names_reused(lines)
        if self.in_numpy:
            lines = ['with errstate(all="ignore"):', *(f"    {line}" for line in lines)]
        return lines

    def _written_root(self) -> Operation | None:
        """The operation that can write the root's numbers where they belong."""
        value = self.roots[0]
        op = self.made.get(value.name)
        while op and op.view and ".reshape(" in op.call and self.live.uses[op.args[0].name] == 1:
            op = self.made.get(op.args[0].name)
        k = self.operations.index(op) if op else -1
        call = self.in_numpy.get(k, op.call if op else "")
        if op is None or not ("{out}" in call or "{zero}" in op.call):
            return None
        return op if op.target.name == value.name or "{out}" in call else None

    def _destination(self, op: Operation, k: int, lines: list[str]) -> str:
        shape, inside = op.target.shape, k in self.in_numpy
        name = "out"
        if shape != self.roots[0].shape:
            lines.append(f"o = out.view({shape})")
            name = "o"
        if inside:
            lines.append(f"o = {name}.numpy()")
            name = "o"
        return name

    def _as(self, value: Value, inside: bool, lines: list[str]) -> str:
        """The name of a value as an array (inside numpy) or a tensor."""
        name = value.name
        if (name in self.inside) == inside:
            return name
        other = f"{name}_{'n' if inside else 't'}"
        if (name, inside) not in self.converted:
            self.converted.add((name, inside))
            if inside:
                lines.append(f"{other} = {name}.numpy()")
            else:
                array = name if value.shape else f"asarray({name}, dtype)"
                lines.append(f"{other} = from_numpy({array})")
        return other

    def _line(self, op: Operation, k: int, destination: str | None, lines: list[str]) -> str:
        inside = k in self.in_numpy
        call = self.in_numpy.get(k, op.call)
        names = [self._as(value, inside, lines) for value in op.args]
        if destination in ("out", "o") and "{zero}" in op.call:
            if not inside:
                return f"{op.target.name} = {destination}.zero_()"
            lines.append(f"{destination}.fill(0.0)")
            return f"{op.target.name} = {destination}"
        large = math.prod(op.target.shape) * 8 >= memory.PAGED_FROM
        if large and "{out}" in call and not destination:
            maker = "pooled_like" if op.elementwise else "pooled_empty"
            operands = ", ".join(names if op.elementwise else ["like"])
            destination = f"{maker}({op.target.shape}, {operands})"
        put = f", out={destination}" if destination and "{out}" in call else ""
        if inside:
            call = numpy_calls.with_constants(call, self.constants)
        call = call.replace("{out}", put).replace("{zero}", "").replace("{own}", "")
        for place, name in enumerate(names):
            call = call.replace(f"{{{place}}}", name)
        return call if op.writes else f"{op.target.name} = {call}"

    def _return(self, out: bool, source: Operation | None, lines: list[str]) -> str:
        root = self.roots[0]
        if source is not None:
            return "return out"
        name = self._as(root, False, lines)
        if out:
            return f"return out.copy_({name})"
        op = self.made.get(root.name)
        spread = op is not None and (".expand(" in op.call or "diagonal" in op.call)
        shared = self.live.of_input(root) or spread
        return f"return {name}.clone()" if shared else f"return {name}"


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
    peephole(program, roots)
    program.operations = without_clones(program.operations, roots)
    in_numpy = {} if dtype is None else numpy_calls.choose_numpy_calls(program, roots)
    text = Text(program, roots, in_numpy)
    arguments = ", ".join(["like", *(value.name for value in program.inputs.values())])
    parts = []
    if patterns is None:
        parts.append(_definition(f"run_into(out, {arguments})", text.lines(out=True)))
        large = math.prod(roots[0].shape) * 8 >= memory.RECYCLED_FROM
        if large and "return out.copy_" not in parts[0]:
            call = f"run_into(pooled_empty({roots[0].shape}, like), {arguments})"
            parts.insert(0, _definition(f"run({arguments})", [f"return {call}"]))
    if len(parts) < 2:
        parts.insert(0, _definition(f"run({arguments})", text.lines(patterns=patterns)))
    source = "\n\n".join(parts)
    namespace: dict[str, Any] = dict(_RUNTIME)
    if dtype is not None:
        namespace["dtype"] = np.dtype(str(dtype).removeprefix("torch."))
        for number, name in text.constants.items():
            namespace[name] = np.array(float(number), namespace["dtype"])
    exec(compile(_bound(source, namespace), "<curate.calculus program>", "exec"), namespace)
    run = namespace["run"]
    run.into = namespace.get("run_into")
    return run, source


def _bound(source: str, namespace: dict[str, Any]) -> str:
    """The text with torch's functions as global names, which saves one look-up per call."""

    def bind(match: re.Match) -> str:
        path = match[1]
        found: Any = torch
        for part in path.split("."):
            found = getattr(found, part)
        name = "torch_" + path.replace(".", "_")
        namespace[name] = found
        return name + "("

    return re.sub(r"torch\.([\w.]+)\(", bind, source)


def _definition(head: str, lines: list[str]) -> str:
    return f"def {head}:\n" + "\n".join(f"    {line}" for line in lines)
