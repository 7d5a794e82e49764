"""Memory for large results: that of earlier results that are no longer referenced.

A fresh buffer of megabytes costs a page fault every 4 KiB, often more than the numbers that go into
it, and a Newton method asks for the same Hessian again and again. A buffer is handed out a second
time only when no tensor, view or array refers to it. Without, a Hessian of 20 MB (log det, n = 40)
takes 1.65 times as long.
"""

from __future__ import annotations

import math
import sys
from collections import OrderedDict

import numpy as np
import torch

RECYCLED_FROM = 1 << 18
"""Bytes from which a result's memory is kept for the next result of that size."""
PAGED_FROM = 1 << 25
"""Bytes from which malloc asks for new pages every time, so that intermediates are kept, too."""
KEPT = 1 << 28
"""Bytes that are kept at most, all sizes together."""
_ALIGNMENT = 64
_PER_SIZE = 2

_dtypes: dict[torch.dtype, np.dtype] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}
_pool: OrderedDict[int, list[np.ndarray]] = OrderedDict()


def pooled_empty(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """An uninitialised tensor, of the dtype and on the device of ``like``."""
    dtype = _dtypes.get(like.dtype)
    nbytes = math.prod(shape) * like.element_size()
    if dtype is None or not like.is_cpu or not RECYCLED_FROM <= nbytes <= KEPT:
        return like.new_empty(shape)
    buffer = _taken(nbytes)
    offset = -buffer.ctypes.data % _ALIGNMENT
    return torch.from_numpy(np.ndarray(shape, dtype, buffer, offset))


def pooled_like(shape: tuple[int, ...], *operands: torch.Tensor) -> torch.Tensor | None:
    """An uninitialised tensor for an elementwise result, or None where its strides would change."""
    if all(operand.is_contiguous() for operand in operands):
        return pooled_empty(shape, operands[0])
    return None


def _taken(nbytes: int) -> np.ndarray:
    kept = _pool.setdefault(nbytes, [])
    _pool.move_to_end(nbytes)
    for _ in range(len(kept)):
        try:
            buffer = kept.pop()  # atomic: no other thread gets this one; the last is in the caches
        except IndexError:
            break
        if sys.getrefcount(buffer) == 2:  # the name here, and the argument
            kept.append(buffer)
            return buffer
        kept.insert(0, buffer)
    buffer = np.empty(nbytes + _ALIGNMENT, np.uint8)
    kept.append(buffer)
    del kept[:-_PER_SIZE]
    pooled = sum(size * len(buffers) for size, buffers in _pool.items())
    while pooled > KEPT and len(_pool) > 1:
        size, buffers = _pool.popitem(last=False)
        pooled -= size * len(buffers)
    return buffer
