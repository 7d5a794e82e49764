"""Small operations in numpy, whose calls cost a third of torch's; the memory is shared.

On the CPU a call of torch takes 1 to 2 microseconds before it computes anything, numpy's 0.4. So
operations on a few thousand numbers run in numpy, on views of the same memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from curate.calculus.compile.program import MATMUL, Operation, Program, Value
from curate.calculus.compile.runtime import NOT_DEFINITE, SINGULAR
from curate.calculus.errors import SingularError

_ELEMENTS = 4096
_SLOW_ELEMENTS = 512
"""For functions that numpy has no vector instructions for."""
_ROWS = 40
_FLOPS = 1 << 18
"""Of a matrix product; numpy's BLAS starts no thread up to here."""
_SAVED = {"matrix": 6.0, "view": 0.6, "other": 1.0}
_CONVERSION = 0.8
_ENTRY = 1.5
"""Microseconds (orders of magnitude) that decide whether a program is worth it."""

_NAMES = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "abs": "absolute", "neg": "negative",
    "mul": "multiply", "sub": "subtract", "pow": "power",
}  # fmt: skip
_SLOW = {"sin", "cos", "tan", "arcsin", "arccos", "arctan", "power", "logaddexp"}
_TABLE = {
    MATMUL: "{0}.dot({1}{out})",
    "torch.mv({0}, {1}{out})": "{0}.dot({1}{out})",
    "torch.dot({0}, {1}{out})": "{0}.dot({1})",
    "torch.bmm({0}, {1}{out})": "matmul({0}, {1}{out})",
    "torch.rsqrt({0}{out})": "divide(1.0, sqrt({0}){out})",
    "torch.sigmoid({0}{out})": "divide(1.0, add(1.0, exp(negative({0}))){out})",
    "softplus({0})": "logaddexp({0}, 0.0)",
    "torch.relu({0})": "maximum({0}, 0.0)",
    "torch.gt({0}, 0).to({0}.dtype)": "greater({0}, 0).astype(dtype)",
    "torch.sum({0})": "sum_({0}, None)",
    "cholesky({0})": "np_cholesky({0})",
    "inverse({0}{out})": "np_inverse({0})",
    "solve({0}, {1})": "np_solve({0}, {1})",
    "torch.linalg.slogdet({0})[1]": "slogdet({0})[1]",
    "torch.linalg.det({0})": "det({0})",
    "torch.clone({0}{own})": "array({0})",
    "{0}.copy_({1})": "copyto({0}, {1})",
    "{0}.add_({1})": "add({0}, {1}, {0})",
    "{0}.t()": "{0}.T",
    "{0}.reshape(())": "asarray({0}).reshape(())",
    "{0}.diagonal()": "diagonal({0}, 0, 1)",
}
_TAKES_ARRAYS = ("add(", "subtract(", "multiply(", "divide(")
_LITERAL = re.compile(r"(?<=[( ])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?=[,){])")
_NUMBER = r"(-?[\d.e+-]+)"
_RULES: list[tuple[re.Pattern, str | Callable[[re.Match], str]]] = [
    (re.compile(p), r)
    for p, r in (
        (
            r"torch\.(add|mul|sub|neg|pow|reciprocal|sqrt|exp|log|sin|cos|tan|tanh|abs|sign|asin|"
            r"acos|atan)\(([{}\d., e+-]*)\{out\}\)",
            lambda m: f"{_NAMES.get(m[1], m[1])}({m[2]}{{out}})",
        ),
        (rf"torch\.add\(\{{0\}}, \{{1\}}, alpha={_NUMBER}\{{out\}}\)",
         r"add({0}, multiply({1}, \1){out})"),
        (rf"torch\.add\(constant\({_NUMBER}, like\), \{{0\}}, alpha={_NUMBER}\{{out\}}\)",
         r"add(multiply({0}, \2), \1{out})"),
        (rf"torch\.addcmul\(constant\({_NUMBER}, like\), \{{0\}}, \{{1\}}, value=-1\.0\{{out\}}\)",
         r"subtract(\1, multiply({0}, {1}){out})"),
        (rf"torch\.addcmul\(constant\({_NUMBER}, like\), \{{0\}}, \{{1\}}, value={_NUMBER}\{{out\}}"
         r"\)", r"add(\1, multiply(multiply({0}, {1}), \2){out})"),
        (rf"torch\.addmm\(constant\(0\.0, like\), \{{0\}}, \{{1\}}, beta=0, alpha={_NUMBER}"
         r"\{out\}\)", r"multiply({0}.dot({1}), \1{out})"),
        (rf"torch\.baddbmm\(constant\(0\.0, like\), \{{0\}}, \{{1\}}, beta=0, alpha={_NUMBER}"
         r"\{out\}\)", r"multiply(matmul({0}, {1}), \1{out})"),
        (r"torch\.sum\(\{0\}, (\([\d, ]+\))\)", r"sum_({0}, \1)"),
        (r"\{0\}\.permute(\([\d, ]+\))", r"{0}.transpose\1"),
        (r"(\{0\}\.reshape\(\([\d, ]*\)\))", r"\1"),
        (r"(\{0\}\[[:, None]+\])", r"\1"),
        (r"\{0\}\.diagonal\(0, (\d+), (\d+)\)", r"diagonal({0}, \1, \2)"),
        (r"like\.new_zeros\((\([\d, ]*\))\)(?:\{zero\})?", r"zeros(\1, dtype)"),
        (rf"like\.new_full\((\([\d, ]*\)), {_NUMBER}\)", r"full(\1, \2, dtype)"),
        (rf"\{{0\}}\.fill_\({_NUMBER}\)", r"{0}.fill(\1)"),
        (rf"\{{0\}}\.add_\({_NUMBER}\)", r"add({0}, \1, {0})"),
        (rf"\{{0\}}\.add_\(\{{1\}}, alpha={_NUMBER}\)", r"add({0}, multiply({1}, \1), {0})"),
        (rf"torch\.mul\(\{{1\}}, {_NUMBER}, out=\{{0\}}\)", r"multiply({1}, \1, {0})"),
    )
]  # fmt: skip


def numpy_call(op: Operation) -> str | None:
    """The operation in numpy, where it is small enough and has a form there."""
    call = _TABLE.get(op.call)
    for pattern, replacement in _RULES if call is None else ():
        if match := pattern.fullmatch(op.call):
            call = replacement(match) if callable(replacement) else match.expand(replacement)
            break
    return call if call and _fits(op, call) else None


def _fits(op: Operation, call: str) -> bool:
    most = max(math.prod(value.shape) for value in (op.target, *op.args))
    name = call.partition("(")[0]
    if ".dot(" in call or "matmul(" in call:
        return op.flops <= _FLOPS
    if name in ("np_cholesky", "np_inverse", "np_solve", "slogdet", "det"):
        return most <= _ROWS**2
    return most <= (_SLOW_ELEMENTS if name in _SLOW else _ELEMENTS)


def with_constants(call: str, names: dict[str, str]) -> str:
    """The call with names for its numbers: an array costs numpy less than a number to convert."""

    def name(match: re.Match) -> str:
        return names.setdefault(match[0], f"c{len(names)}")

    return _LITERAL.sub(name, call) if call.startswith(_TAKES_ARRAYS) else call


def choose_numpy_calls(program: Program, roots: list[Value]) -> dict[int, str]:
    """Which operations run in numpy, by index, and their calls; none where that gains nothing."""
    calls: dict[int, str] = {}
    inside: dict[str, bool] = {value.name: False for value in program.inputs.values()}
    crossing: set[tuple[str, bool]] = set()
    saved = -_ENTRY
    inputs = set(inside)
    for k, op in enumerate(program.operations):
        call = numpy_call(op)
        if op.view and op.args[0].name not in inputs and not inside[op.args[0].name]:
            call = None
        if call is not None:
            calls[k] = call
            kind = "matrix" if "np_" in call or "det" in call else "view" if op.view else "other"
            saved += _SAVED[kind]
        if not op.writes:
            inside[op.target.name] = call is not None
        crossing |= {(v.name, call is not None) for v in op.args if inside[v.name] != bool(call)}
    saved -= _CONVERSION * (len(crossing) + sum(inside[root.name] for root in roots))
    return calls if saved > 0 else {}


def np_cholesky(matrix: np.ndarray) -> np.ndarray:
    """The lower factor."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError as error:
        raise SingularError(f"{NOT_DEFINITE} ({error})") from None


def np_inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse, column by column as torch lays it out."""
    try:
        return np.linalg.inv(matrix.T).T
    except np.linalg.LinAlgError as error:
        raise SingularError(f"{SINGULAR} ({error})") from None


def np_solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``x`` with ``matrix @ x = right``."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError as error:
        raise SingularError(f"{SINGULAR} ({error})") from None


def diagonal(array: np.ndarray, one: int, two: int) -> np.ndarray:
    """A view that may be written into where the array may."""
    view = array.diagonal(0, one, two)
    view.flags.writeable = array.flags.writeable
    return view


_FUNCTIONS: list[Any] = [
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.power, np.reciprocal, np.sqrt,
    np.exp, np.log, np.sin, np.cos, np.tan, np.tanh, np.absolute, np.sign, np.arcsin, np.arccos,
    np.arctan, np.logaddexp, np.maximum, np.greater, np.matmul, np.array, np.copyto,
    np.zeros, np.full, np.errstate, np.asarray,
]  # fmt: skip
NAMESPACE: dict[str, object] = {function.__name__: function for function in _FUNCTIONS} | {
    "sum_": np.add.reduce,
    "slogdet": np.linalg.slogdet,
    "det": np.linalg.det,
    "np_cholesky": np_cholesky,
    "np_inverse": np_inverse,
    "np_solve": np_solve,
    "diagonal": diagonal,
}
