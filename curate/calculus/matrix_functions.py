"""Functions of whole matrices that generated programs call, besides torch's."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from curate.calculus.errors import CalculusError


def eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of a symmetric matrix.

    Raises:
        CalculusError: it is not symmetric.
    """
    off, scale = (matrix - matrix.T).abs().max(), matrix.abs().max()
    if off > math.sqrt(torch.finfo(matrix.dtype).eps) * scale:
        raise CalculusError(
            f"sqrtm, logm: the matrix is not symmetric (off by {off.item():.3g}); they and "
            "derivatives of expm are for symmetric matrices"
        )
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return values, vectors


def expm_derivatives(matrix: Tensor, order: int) -> Tensor:
    """The derivative of this order of the exponential of any matrix, one tensor."""
    function = torch.linalg.matrix_exp
    for _ in range(order):
        function = torch.func.jacrev(function)
    return function(matrix)


def divided_differences(d: Tensor, name: str, order: int) -> Tensor:
    """``f[d_i, d_j, ...]`` for all i, j, ... of this order, without cancellation."""
    if order == 0:
        return {"exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt}[name](d)
    axes = torch.meshgrid(*[d] * (order + 1), indexing="ij")
    if name == "sqrt":
        roots = [torch.sqrt(axis) for axis in axes]
        pairs = [one + two for one, two in itertools.combinations(roots, 2)]
        return (-1) ** (order - 1) / math.prod(pairs)
    if name == "exp":
        return _of_exp(torch.stack(axes, -1))
    return _first_of_log(*axes) if order == 1 else _second_of_log(torch.stack(axes, -1))


def _of_exp(points: Tensor) -> Tensor:
    """The corner of the exponential of a bidiagonal matrix (Opitz, 1964)."""
    k = points.shape[-1]
    largest = points.amax(-1, keepdim=True)
    ones = torch.diag(points.new_ones(k - 1), 1)
    return torch.linalg.matrix_exp(torch.diag_embed(points - largest) + ones)[..., 0, -1] * (
        torch.exp(largest[..., 0])
    )


def _first_of_log(a: Tensor, b: Tensor) -> Tensor:
    """``log(a / b) / (a - b)``, by ``atanh r / r`` with ``r = (a - b) / (a + b)``."""
    r = (a - b) / (a + b)
    near = r.abs() < 0.05
    s = r * r
    series = 1 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + s * (1 / 11 + s / 13)))))
    safe = torch.where(near, 0.5, r)
    ratio = torch.where(near, series, torch.log(a / b) / (2 * safe))
    return 2 * ratio / (a + b)


def _second_of_log(points: Tensor) -> Tensor:
    """By the difference of the two that are farthest apart, or a series where all are close."""
    points, _ = points.sort(-1)
    c, b, a = points.unbind(-1)
    m = points.mean(-1)
    close = (a - c) < 0.1 * m
    gap = torch.where(close, 1.0, a - c)
    apart = (_first_of_log(a, b) - _first_of_log(b, c)) / gap
    x, y, z = ((p - m) / m for p in (a, b, c))
    # complete homogeneous polynomials, h_n = e1 h_(n-1) - e2 h_(n-2) + e3 h_(n-3)
    e1, e2, e3 = x + y + z, x * y + x * z + y * z, x * y * z
    h = [torch.zeros_like(x), torch.zeros_like(x), torch.ones_like(x)]
    series = torch.zeros_like(x)
    for n in range(2, 16):
        series = series + h[-1] * ((-1) ** (n - 1) / n)
        h.append(e1 * h[-1] - e2 * h[-2] + e3 * h[-3])
    return torch.where(close, series / (m * m), apart)


def pinverse(matrix: Tensor) -> Tensor:
    """The Moore-Penrose inverse."""
    return torch.linalg.pinv(matrix)


def _svd_with_rank(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    u, s, vh = torch.linalg.svd(matrix)
    least = max(matrix.shape) * torch.finfo(matrix.dtype).eps * s.max() if len(s) else 0.0
    return u, s, vh.mH, s > least


def polar(matrix: Tensor) -> Tensor:
    """``U V'`` over the singular values that are not 0."""
    u, s, v, full = _svd_with_rank(matrix)
    r = len(s)
    return (u[:, :r] * full) @ v[:, :r].mH


def polar_slope(matrix: Tensor) -> Tensor:
    """The derivative of `polar`, (m, n, m, n); NaN where the rank is not full."""
    u, s, v, full = _svd_with_rank(matrix)
    m, n = matrix.shape
    r = len(s)
    if not bool(full.all()):
        return matrix.new_full((m, n, m, n), math.nan)
    rows, columns = matrix.new_zeros(m), matrix.new_zeros(n)
    rows[:r], columns[:r] = s, s
    k = 1 / (rows[:, None] + columns[None])
    first = torch.einsum("ai,bj,ij,ci,dj->abcd", u, v, k, u, v)
    p, q = u[:, :r], v[:, :r]
    return first - torch.einsum("ai,bj,ij,cj,di->abcd", p, q, k[:r, :r], p, q)


def peaks(u: Tensor, axes: tuple[int, ...]) -> Tensor:
    """1 at the largest element over the axes, in equal shares where several are largest."""
    largest = (u == torch.amax(u, axes, keepdim=True)).to(u.dtype)
    return largest / largest.sum(axes, keepdim=True)


def product_of_others(s: Tensor, order: int) -> Tensor:
    """``p_ab..`` along the last axis: the product of s but for a, b, ...; 0 where two agree."""
    if order == 0:
        return torch.prod(s, -1)
    n = s.shape[-1]
    for _ in range(order - 1):
        s = s[..., None, :].repeat(*[1] * (s.ndim - 1), n, 1)
        s.diagonal(0, -2, -1).fill_(1)
    one = torch.ones_like(s[..., :1])
    before = torch.cumprod(torch.cat([one, s[..., :-1]], -1), -1)
    after = torch.cumprod(torch.cat([one, s[..., 1:].flip(-1)], -1), -1).flip(-1)
    product = before * after
    for first, second in itertools.combinations(range(-order, 0), 2):
        product.diagonal(0, first, second).zero_()
    return product


FUNCTIONS = {
    function.__name__: function
    for function in (
        eigen, expm_derivatives, divided_differences, pinverse, polar, polar_slope, peaks,
        product_of_others,
    )
}  # fmt: skip
