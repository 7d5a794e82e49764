"""Values for variables: accepting numpy and torch, and finding sizes from shapes."""

from __future__ import annotations

import keyword
import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch

from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.graph.node import Dim, Node
from curate.calculus.graph.sizes import (
    Reason,
    polynomial,
    renamed,
    shown,
    size_in,
    solved,
    symbols_of,
)


def as_dtype(dtype: Any) -> torch.dtype | None:
    """A torch dtype from a torch or numpy dtype or its name.

    Raises:
        CalculusError: no floating-point dtype.
    """
    if dtype is None or (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        return dtype
    try:
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        found = getattr(torch, name.removeprefix("torch."))
        if isinstance(found, torch.dtype) and found.is_floating_point:
            return found
    except (TypeError, AttributeError):
        pass
    raise CalculusError(f"dtype: {dtype!r} is no floating-point type, such as torch.float64")


def without_underscores(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Words of Python are written with an underscore behind: ``lambda_`` is ``lambda``."""
    return {
        name[:-1] if keyword.iskeyword(name[:-1]) and name not in names else name: value
        for name, value in values.items()
    }


def as_tensors(
    values: Mapping[str, Any], dtype: torch.dtype | None, device: Any
) -> dict[str, torch.Tensor]:
    """All values as tensors of one floating-point dtype, without gradients."""
    tensors = {}
    for name, value in values.items():
        if isinstance(value, torch.Tensor):
            tensors[name] = value.detach()
        else:
            try:
                array = np.asarray(value)
                if array.dtype.kind not in "fiub":
                    raise TypeError(f"dtype {array.dtype}")
                tensors[name] = torch.from_numpy(np.array(array) if _needs_copy(array) else array)
            except (TypeError, ValueError) as error:
                raise CalculusError(
                    f"{name}: a tensor, array or number is needed, not "
                    f"{type(value).__name__} ({error})"
                ) from error
    if dtype is None:
        floating = [
            tensor.dtype
            for name, tensor in tensors.items()
            if tensor.is_floating_point() and not isinstance(values[name], int | float)
        ]
        dtype = torch.float64 if not floating else floating[0]
        for other in floating:
            dtype = torch.promote_types(dtype, other)
        if not floating and any(isinstance(v, torch.Tensor) for v in values.values()):
            dtype = torch.get_default_dtype()
    if device is None:
        devices = [v.device for v in values.values() if isinstance(v, torch.Tensor)]
        device = next((d for d in devices if d.type != "cpu"), "cpu")
    return {name: tensor.to(device=device, dtype=dtype) for name, tensor in tensors.items()}


def declarations(scope: Mapping[str, Node]) -> dict[str, str]:
    """The variables of declared structure, with its name."""
    return {name: v.data[1] for name, v in scope.items() if v.kind == "variable" and v.data[1]}


def check_declarations(declared: Mapping[str, str], values: Mapping[str, torch.Tensor]) -> None:
    """Whether matrices are as they are declared, up to the root of the rounding error.

    On the CPU only: elsewhere the program would have to wait. That a matrix is positive definite is
    found where it is factored.

    Raises:
        CalculusError: a matrix that is declared symmetric, positive definite or diagonal, and is
            not symmetric or has other elements.
    """
    for name, structure in declared.items():
        matrix = values.get(name)
        if matrix is None or not matrix.is_cpu or matrix.ndim != 2 or not matrix.numel():
            continue
        if structure == "diagonal":
            off = matrix - torch.diag(matrix.diagonal()) if len(matrix) == len(matrix.T) else None
        else:
            off = matrix - matrix.T if len(matrix) == len(matrix.T) else None
        if off is None:  # its shape is refused elsewhere
            continue
        worst, scale = _size(off), _size(matrix)
        if worst > math.sqrt(torch.finfo(matrix.dtype).eps) * scale:
            wanted = "diagonal" if structure == "diagonal" else "symmetric"
            kind = "positive definite" if structure == "definite" else structure
            raise CalculusError(
                f"{name}: declared a {kind} matrix, but it is not {wanted} (off by {worst:.3g}); "
                f"declare {name}='matrix' or correct its values"
            )


def _size(matrix: torch.Tensor) -> float:
    """The largest absolute value, in one pass."""
    low, high = matrix.aminmax()
    return max(-low.item(), high.item())


def _needs_copy(array: np.ndarray) -> bool:
    negative = any(stride < 0 for stride in array.strides)
    native = array.dtype.isnative
    return negative or not array.flags.writeable or not native or array.ndim == 0


def sizes_of(
    scope: Mapping[str, Node], shapes: Mapping[str, tuple[int, ...]], reasons: tuple[Reason, ...]
) -> dict[Dim, int]:
    """The number behind every size symbol.

    Raises:
        CalculusError: a value for a name that the expression does not have.
        ShapeError: shapes that do not fit each other or their declaration.
    """
    sizes: dict[Dim, int] = {}
    origin: dict[Dim, str] = {}
    # plain symbols first, as ``x.0-1`` follows from them
    for name, shape in sorted(shapes.items(), key=lambda item: _composed(scope, item[0])):
        if name not in scope:
            raise CalculusError(f"{name}: not a variable of the expression; it has {sorted(scope)}")
        declared = scope[name].shape
        if len(shape) != len(declared):
            kind = {0: "a scalar", 1: "a vector", 2: "a matrix"}
            raise ShapeError(
                f"{name}: the value has the shape {tuple(shape)}, but {name} is "
                f"{kind.get(len(declared), f'a tensor with {len(declared)} axes')}"
            )
        for axis, (dim, size) in enumerate(zip(declared, shape, strict=True)):
            known = size_in(dim, sizes)
            if known is None:
                known = size
                sizes.setdefault(*_learnt(dim, size, sizes))
            where = f"axis {axis} of {name} {tuple(shape)}"
            if known != size:
                other = origin.get(dim, f"the declaration {shown(declared)}")
                why = _why(dim, name, other, reasons)
                raise ShapeError(
                    f"{name}: {where} has size {size}, but {other} has size {known}, and they have "
                    f"to be equal{why}"
                )
            origin.setdefault(dim, where)
    return sizes


def _composed(scope: Mapping[str, Node], name: str) -> bool:
    return name in scope and any(polynomial(d) != (((d,), 1),) for d in scope[name].shape)


def _learnt(dim: Dim, size: int, sizes: Mapping[Dim, int]) -> tuple[Dim, int]:
    """What the size of an axis says: the number of a symbol in it, or else of the whole."""
    known: dict[Dim, Dim] = {symbol: sizes[symbol] for symbol in symbols_of(dim) if symbol in sizes}
    found = solved(renamed(dim, known), size)
    if found and isinstance(found[1], int) and found[1] >= 0:
        return found[0], found[1]
    return dim, size


def _why(dim: Dim, name: str, other: str, reasons: tuple[Reason, ...]) -> str:
    mine = [reason.where for reason in reasons if reason.dim == dim]
    partner = other.split(" of ")[-1].split(" ")[0]
    both = [where for where in mine if name in where and partner in where]
    chosen = min(both or mine, key=len, default="")
    return f" in {chosen}" if chosen else ""
