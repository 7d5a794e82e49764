"""Functions that generated programs call, besides torch's."""

from __future__ import annotations

import functools
import math
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from curate.calculus.errors import SingularError

NOT_DEFINITE = (
    "a matrix that is declared positive definite is not so; declare it 'symmetric matrix' or "
    "correct its values"
)
SINGULAR = "a matrix that has to be inverted is singular"


def constant(value: float, like: torch.Tensor) -> torch.Tensor:
    """A number as a tensor without axes."""
    return _constant(value, like.dtype, like.device)


@functools.lru_cache(maxsize=1024)
def _constant(value: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.full((), value, dtype=dtype, device=device)


def cholesky(matrix: torch.Tensor) -> torch.Tensor:
    """The lower factor.

    Raises:
        SingularError: the matrix is not positive definite.
    """
    try:
        return torch.linalg.cholesky(matrix)
    except torch.linalg.LinAlgError as error:
        raise SingularError(f"{NOT_DEFINITE} ({error})") from None


def inverse(matrix: torch.Tensor, *, out: torch.Tensor | None = None) -> torch.Tensor:
    """The inverse.

    Raises:
        SingularError: the matrix is singular.
    """
    try:
        return torch.linalg.inv(matrix, out=out)
    except torch.linalg.LinAlgError as error:
        raise SingularError(f"{SINGULAR} ({error})") from None


def inverse_and_logdet(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The inverse and log |det| of a symmetric matrix, by Cholesky where it is definite.

    Raises:
        SingularError: the matrix is singular.
    """
    factor, info = torch.linalg.cholesky_ex(matrix)
    if not info.item():
        # symmetric, and column by column: the transpose is what products and sums read fastest
        return torch.cholesky_inverse(factor).mT, 2 * factor.diagonal().log().sum()
    return inverse(matrix), torch.linalg.slogdet(matrix)[1]


def solve(matrix: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """``x`` with ``matrix @ x = right``.

    Raises:
        SingularError: the matrix is singular.
    """
    try:
        return torch.linalg.solve(matrix, right)
    except torch.linalg.LinAlgError as error:
        raise SingularError(f"{SINGULAR} ({error})") from None


def factors(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The LU factors and pivots.

    Raises:
        SingularError: the matrix is singular.
    """
    lu, pivots, info = torch.linalg.lu_factor_ex(matrix)
    if not matrix.is_cuda and info.item():
        raise SingularError(f"{SINGULAR} (pivot {info.item()} is 0)")
    return lu, pivots


def signed_svd(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """U, V and s with ``A = U diag(s) V'`` and ``det U det V = 1``: one of s may be negative."""
    u, s, vh = torch.linalg.svd(matrix)
    if len(s):
        sign = torch.sign(torch.linalg.det(u) * torch.linalg.det(vh))
        u[:, 0] *= sign
        s[0] *= sign
    return u, vh.mH, s


def pattern(like: torch.Tensor, kind: str, shape: tuple[int, ...], start: int) -> torch.Tensor:
    """A pattern of graph/patterns.py as a tensor."""
    result = like.new_zeros(shape)
    if kind == "index":
        result[start] = 1
    elif kind == "select":
        result.diagonal(start).fill_(1)
    elif kind == "fuse":
        result.copy_(torch.eye(shape[0], dtype=like.dtype, device=like.device).reshape(shape))
    else:
        result.fill_(1).tril_(start)
    return result


def placed(value: torch.Tensor, start: int, size: int) -> torch.Tensor:
    """The value along its first axis, from ``start`` on, of ``size`` elements; 0 elsewhere."""
    result = value.new_zeros((size, *value.shape[1:]))
    result[start : start + len(value)] = value
    return result


def placed_at(value: torch.Tensor, start: int, size: int) -> torch.Tensor:
    """The value at one place of a new first axis; 0 elsewhere."""
    result = value.new_zeros((size, *value.shape))
    result[start] = value
    return result


def log_det(matrix: torch.Tensor) -> torch.Tensor:
    """``log det A``, NaN where the determinant is negative."""
    sign, logarithm = torch.linalg.slogdet(matrix)
    return torch.where(sign < 0, math.nan, logarithm)


def lu_log_det(lu: torch.Tensor, pivots: torch.Tensor) -> torch.Tensor:
    """The same from the LU factors and pivots."""
    swaps = (pivots != torch.arange(1, len(pivots) + 1, device=lu.device)).sum()
    negative = (lu.diagonal() < 0).sum() + swaps
    return torch.where(negative % 2 == 1, math.nan, lu_logdet(lu))


def lu_logdet(lu: torch.Tensor) -> torch.Tensor:
    """``log |det A|`` from the LU factors."""
    return lu.diagonal().abs().log().sum()


def gram(
    left: torch.Tensor,
    right: torch.Tensor,
    alpha: float = 1.0,
    *,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """``alpha * left @ right`` for a product that is symmetric: half of it is computed."""
    same = left.data_ptr() == right.data_ptr() and left.stride() == right.stride()[::-1]
    if same and left.is_cpu and left.dtype in (torch.float32, torch.float64):
        return _rank_k_update(right, alpha, out)
    n = len(left)
    zero = constant(0.0, left)
    blocks = 1 if left.is_cuda or n < _BLOCKED_FROM else min(8, n // 96)
    if blocks == 1:
        return torch.addmm(zero, left, right, beta=0, alpha=alpha, out=out)
    result = left.new_empty(n, n) if out is None else out
    edges = [n * k // blocks for k in range(blocks + 1)]
    for start, end in pairwise(edges):
        block = torch.addmm(zero, left[start:end], right[:, :end], beta=0, alpha=alpha)
        result[start:end, :end] = block
        if start:
            result[:start, start:end] = block[:, :start].t()
    return result


_BLOCKED_FROM = 192
"""Rows from which blocks up to the diagonal, mirrored, are faster than the whole product."""


def _rank_k_update(x: torch.Tensor, alpha: float, out: torch.Tensor | None) -> torch.Tensor:
    """``alpha * x' x``: numpy has BLAS' syrk for this, torch has not."""
    array = x.numpy()
    with _threads_as_torch():
        if out is None:
            out = torch.from_numpy(np.dot(array.T, array))
        else:
            np.dot(array.T, array, out=out.numpy())
    return out if alpha == 1.0 else out.mul_(alpha)


@functools.lru_cache(maxsize=1)
def _numpys_blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _threads_as_torch() -> AbstractContextManager[Any]:
    blas, wanted = _numpys_blas(), torch.get_num_threads()
    if all(library.num_threads == wanted for library in blas.lib_controllers):
        return nullcontext()
    return blas.limit(limits=wanted)
