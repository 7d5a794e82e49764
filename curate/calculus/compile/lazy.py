"""Structured results: cores and their delta patterns, never spread out unless asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from curate.calculus.compile.assemble import sum_of_cores
from curate.calculus.compile.bind import (
    as_tensors,
    check_declarations,
    declarations,
    without_underscores,
)
from curate.calculus.compile.codegen import function
from curate.calculus.compile.compiled import planner_for
from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.graph.node import Labels
from curate.calculus.rules.structure import apply_structure
from curate.calculus.scoped import Scoped
from curate.calculus.show.render import shortened
from curate.calculus.spread import aligned, block_solve, diagonal_view, spell

_FLOATING = (torch.float64, torch.float32)
_DEFAULT = torch.zeros((), dtype=torch.float64)


@dataclass(slots=True, eq=False, repr=False)
class Lazy:
    """A tensor as a sum of cores with delta patterns.

    ``2 (V'V) ⊗ I`` has the core ``2 V'V`` of labels ``(l, n)`` and the pattern ``(k, l, k, n)``: a
    label that occurs twice is a unit tensor, one that no core has repeats the values. As a matrix
    its rows are the leading axes and its columns the last ``columns`` axes, those of the last
    variable differentiated by.

    Attributes:
        cores: the tensors, their factors, the labels of their axes, and the pattern of labels of
            the result.
        shape: of the result.
        columns: how many of the last axes are the columns.
    """

    cores: list[tuple[torch.Tensor, float, Labels, Labels]]
    shape: tuple[int, ...]
    columns: int
    numpy: bool = False

    @property
    def _like(self) -> torch.Tensor:
        return self.cores[0][0] if self.cores else _DEFAULT

    @property
    def pattern(self) -> str:
        """The patterns in einsum's notation, as ``"bd->abad"``."""
        return " + ".join(f"{spell(labels)}->{spell(out)}" for _, _, labels, out in self.cores)

    @property
    def nbytes(self) -> int:
        """Bytes of the cores."""
        return sum(core.numel() * core.element_size() for core, *_ in self.cores)

    def dense(self) -> Any:
        """The whole tensor."""
        total = self._like.new_zeros(self.shape)
        for core, scale, labels, out in self.cores:
            view, order = diagonal_view(total, out)
            view.add_(aligned(core, labels, order), alpha=scale)
        return self._given(total)

    def __matmul__(self, other: Any) -> Any:
        """The product with a vector in the shape of the columns, or flat; or with flat columns.

        Raises:
            ShapeError: any other shape.
        """
        vector = self._tensor(other)
        rows, columns = self.shape[: self._rows], self.shape[self._rows :]
        count = math.prod(columns)
        extra: tuple[int, ...] = ()
        shaped = tuple(vector.shape) == columns
        if not shaped:
            if vector.ndim not in (1, 2) or vector.shape[0] != count:
                raise ShapeError(
                    f"vector: the shape {tuple(vector.shape)} is neither {columns} nor {count} rows"
                )
            extra = tuple(vector.shape[1:])
            vector = vector.reshape(*columns, *extra)
        result = vector.new_zeros((*rows, *extra))
        for core, scale, labels, out in self.cores:
            left, right = out[: self._rows], out[self._rows :]
            free = max((*out, *labels), default=-1) + 1
            batch = (free,) if extra else ()
            view, order = diagonal_view(result, (*left, *batch))
            seen = (*labels, *right, *batch)
            kept = tuple(label for label in order if label in seen)
            spec = f"{spell(labels)},{spell((*right, *batch))}->{spell(kept)}"
            view.add_(aligned(torch.einsum(spec, core, vector), kept, order), alpha=scale)
        if not shaped:
            result = result.reshape(math.prod(rows), *extra)
        return self._given(result)

    def as_linear_operator(self) -> Any:
        """The matrix as a `scipy.sparse.linalg.LinearOperator` of flat rows and columns."""
        from scipy.sparse.linalg import LinearOperator

        count = math.prod(self.shape[: self._rows]), math.prod(self.shape[self._rows :])
        turned = self._transposed()

        def product(lazy: Lazy) -> Any:
            return lambda vectors: np.asarray(lazy @ np.asarray(vectors))

        forward, backward = product(self), product(turned)
        return LinearOperator(
            count, matvec=forward, rmatvec=backward, matmat=forward, rmatmat=backward,
            dtype=self.dtype,
        )  # fmt: skip

    def matvec(self, vector: Any) -> Any:
        """The product with a flat vector; with `shape` and `dtype` it is scipy's protocol."""
        return self @ vector

    def rmatvec(self, vector: Any) -> Any:
        """The product of the transpose with a flat vector."""
        return self._transposed() @ vector

    @property
    def dtype(self) -> np.dtype:
        """That of the elements, as numpy has it."""
        return np.dtype(str(self._like.dtype).removeprefix("torch."))

    def _transposed(self) -> Lazy:
        rows = self._rows
        cores = [
            (core, scale, labels, (*out[rows:], *out[:rows]))
            for core, scale, labels, out in self.cores
        ]
        shape = (*self.shape[rows:], *self.shape[:rows])
        return Lazy(cores, shape, rows, self.numpy)

    def diagonal(self) -> Any:
        """The diagonal of the matrix, in the shape of the rows.

        Raises:
            ShapeError: the rows are not shaped as the columns.
        """
        rows = self._square("diagonal")
        total = self._like.new_zeros(rows)
        for core, scale, labels, out in self.cores:
            names = {label: label for label in out}
            for left, right in zip(out[: self._rows], out[self._rows :], strict=True):
                old, new = names[right], names[left]
                names = {label: new if name == old else name for label, name in names.items()}
            merged = tuple(names[label] for label in labels)
            kept = tuple(dict.fromkeys(merged))
            value = torch.einsum(f"{spell(merged)}->{spell(kept)}", core)
            view, order = diagonal_view(total, tuple(names[i] for i in out[: self._rows]))
            view.add_(aligned(value, kept, order), alpha=scale)
        return self._given(total)

    def norm(self) -> Any:
        """The Frobenius norm, from the cores where there is one."""
        if len(self.cores) != 1:
            dense = self.dense()
            return np.linalg.norm(dense) if self.numpy else torch.linalg.vector_norm(dense)
        core, scale, labels, out = self.cores[0]
        sizes = dict(zip(out, self.shape, strict=True))
        repeats = math.prod(size for label, size in sizes.items() if label not in labels)
        norm = torch.linalg.vector_norm(core) * (abs(scale) * math.sqrt(repeats))
        return norm.item() if self.numpy else norm

    def solve(self, rhs: Any) -> Any:
        """``x`` with ``self @ x = rhs``, block by block where the pattern is block diagonal.

        Raises:
            ShapeError: the matrix is not square, or ``rhs`` does not fit.
        """
        rows = self._square("solve")
        b = self._tensor(rhs)
        shaped = tuple(b.shape) == rows
        if not shaped and (b.ndim not in (1, 2) or b.shape[0] != math.prod(rows)):
            raise ShapeError(
                f"rhs: the shape {tuple(b.shape)} fits neither {rows} nor {math.prod(rows)} rows"
            )
        solution = self._solved(b.reshape(*rows, -1)).reshape(b.shape)
        return self._given(solution)

    def _solved(self, b: torch.Tensor) -> torch.Tensor:
        """Solve for right-hand sides along the last axis."""
        rows = self._rows
        if len(self.cores) == 1:
            core, scale, labels, out = self.cores[0]
            left, right = out[:rows], out[rows:]
            shared = [i for i in left if i in right]
            plain = len(set(left)) == rows == len(set(right))
            if plain and shared and all(left.index(i) == right.index(i) for i in shared):
                return block_solve(core, labels, left, right, shared, b / scale)
        count = math.prod(self.shape[:rows])
        dense = torch.as_tensor(self.dense()).reshape(count, count)
        return torch.linalg.solve(dense, b.reshape(count, -1)).reshape(b.shape)

    @property
    def _rows(self) -> int:
        return len(self.shape) - self.columns

    def _square(self, what: str) -> tuple[int, ...]:
        rows, columns = self.shape[: self._rows], self.shape[self._rows :]
        if rows != columns:
            raise ShapeError(f"{what}: rows {rows} and columns {columns} are not alike")
        return rows

    def _tensor(self, value: Any) -> torch.Tensor:
        tensor = value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))
        return tensor.to(self._like)

    def _given(self, tensor: torch.Tensor) -> Any:
        return tensor.numpy() if self.numpy else tensor

    def __repr__(self) -> str:
        start, end = f"Lazy(shape={self.shape}, ", f", {self.nbytes} bytes)"
        return f"{start}{shortened(self.pattern or '0', 99 - len(start) - len(end))}{end}"


def lazy(expression: Scoped, values: Mapping[str, Any]) -> Lazy:
    """Evaluate an expression to cores and patterns; the last programs are kept by shape.

    Raises:
        CalculusError: the expression is no derivative.
    """
    values = without_underscores(values, expression.scope)
    key: list[Any] = [*values]
    numpy, dtype = False, None
    for value in values.values():
        plain = type(value) is torch.Tensor and not value.requires_grad
        if plain and (value.dtype is dtype or (dtype is None and value.dtype in _FLOATING)):
            dtype = value.dtype
            key.append(value.shape)
            continue
        numpy = not any(isinstance(v, torch.Tensor) for v in values.values())
        values = as_tensors(values, None, None)
        key = [*values, *(v.shape for v in values.values())]
        break
    found = expression.programs.find(tuple(key))
    if found is None:
        found = expression.programs.keep(tuple(key), _program(expression, values))
    run, names, shape = found
    check_declarations(declarations(expression.scope), values)
    arguments = [values[name] for name in names]
    like = arguments[0] if arguments else next(iter(values.values()), _DEFAULT)
    return Lazy(run(like, *arguments), shape, expression.columns or 0, numpy)


def _program(expression: Scoped, tensors: Mapping[str, torch.Tensor]) -> tuple:
    if expression.order and expression.columns is None:
        raise CalculusError(
            "lazy: for derivatives; this expression has none, call it for its value"
        )
    node = apply_structure(expression.node)
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    planner = planner_for(expression, shapes, node)
    parts = planner.lower(node, dense=False)
    assert isinstance(parts, list)
    shape = planner.shape(node)
    summed = sum_of_cores(planner.program, parts, shape)
    patterns = [tuple(pattern) for _, *pattern in summed]
    run, _ = function(planner.program, [value for value, *_ in summed], patterns=patterns)
    return run, tuple(planner.program.inputs), shape
