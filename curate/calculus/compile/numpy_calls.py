"""Small operations in numpy, whose calls cost a third of torch's; the memory is shared.

On the CPU a call of torch takes 1 to 2 microseconds before it computes anything, numpy's 0.4. So
operations on a few thousand numbers run in numpy, on views of the same memory: programs of small
operations (nets of width 5 to 16, matrices of 10 rows) take 2.1 to 1.3 times as long without.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from curate.calculus.compile.operations import Kind
from curate.calculus.compile.program import Operation, Program, Value
from curate.calculus.compile.runtime import NOT_DEFINITE, SINGULAR
from curate.calculus.errors import SingularError

_CONVERSION = 0.8
_ENTRY = 1.5
"""Microseconds (orders of magnitude) that decide whether a program is worth it."""


def choose_numpy_calls(program: Program, roots: list[Value]) -> set[int]:
    """Which operations run in numpy, by index; none where that gains nothing."""
    chosen: set[int] = set()
    inside: dict[str, bool] = {value.name: False for value in program.inputs.values()}
    crossing: set[tuple[str, bool]] = set()
    saved = -_ENTRY
    inputs = set(inside)
    for k, op in enumerate(program.operations):
        how, mine = op.how, _fits(op, op.how)
        if how.view and op.args[0].name not in inputs and not inside[op.args[0].name]:
            mine = False
        if mine:
            chosen.add(k)
            saved += how.saved
        if not how.writes:
            inside[op.target.name] = mine
        crossing |= {(v.name, mine) for v in op.args if inside[v.name] != mine}
    saved -= _CONVERSION * (len(crossing) + sum(inside[root.name] for root in roots))
    return chosen if saved > 0 else set()


def _fits(op: Operation, how: Kind) -> bool:
    if not how.numpy:
        return False
    if how.product:
        return op.flops <= how.most
    return max(math.prod(value.shape) for value in (op.target, *op.args)) <= how.most


class Constants:
    """Numbers as arrays: ``c.by`` and ``c[1.0]`` in the texts are names for them."""

    def __init__(self, names: dict[str, str], parameters: dict[str, Any]) -> None:
        self._names, self._parameters = names, parameters

    def __getattr__(self, parameter: str) -> str:
        return self[repr(self._parameters[parameter])]

    def __getitem__(self, number: str) -> str:
        return self._names.setdefault(number, f"c{len(self._names)}")


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


def zeroed(array: np.ndarray) -> np.ndarray:
    """The array, with zeros in it."""
    array.fill(0.0)
    return array


_FUNCTIONS: list[Any] = [
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.power, np.reciprocal, np.sqrt,
    np.exp, np.log, np.sin, np.cos, np.tan, np.tanh, np.absolute, np.sign, np.arcsin, np.arccos,
    np.arctan, np.logaddexp, np.maximum, np.greater, np.matmul, np.array, np.copyto,
    np.zeros, np.full, np.errstate, np.asarray, np_cholesky, np_inverse, np_solve, diagonal, zeroed,
]  # fmt: skip
NAMESPACE: dict[str, object] = {function.__name__: function for function in _FUNCTIONS} | {
    "sum_": np.add.reduce,
    "slogdet": np.linalg.slogdet,
    "det": np.linalg.det,
}
