"""The operators' arithmetic as two fused Triton kernels, for any kernel size.

A kernel that all positions share is passed expanded, with strides of zero, so that one program
serves light and dynamic convolution, and both of their gradients with respect to the input.
Sums are kept in float32 (float64 for float64). Import this module only where triton is installed.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_ROWS = 64


@triton.jit
def _convolve(  # type: ignore[no-untyped-def]
    x,
    weight,
    y,
    source,
    length,
    taps,
    size,
    left,
    x_batch,
    x_time,
    w_batch,
    w_time,
    w_head,
    w_tap,
    y_batch,
    y_time,
    TRANSPOSED: tl.constexpr,
    PRECISE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    pieces = tl.cdiv(size, COLUMNS)
    head = tl.program_id(1) // pieces
    batch = tl.program_id(2).to(tl.int64)
    t = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(1) % pieces * COLUMNS + tl.arange(0, COLUMNS)
    channel = head * size + c
    total = tl.zeros((ROWS, COLUMNS), dtype=PRECISE)
    for k in range(taps):
        s = t + left - k if TRANSPOSED else t + k - left
        row = s if TRANSPOSED else t
        real = (s >= 0) & (s < source) & (t < length)
        kernel = tl.load(
            weight + batch * w_batch + row * w_time + head * w_head + k * w_tap, mask=real, other=0
        )
        values = tl.load(
            x + batch * x_batch + s[:, None] * x_time + channel[None, :],
            mask=real[:, None] & (c < size)[None, :],
            other=0,
        )
        total += values.to(PRECISE) * kernel.to(PRECISE)[:, None]
    tl.store(
        y + batch * y_batch + t[:, None] * y_time + channel[None, :],
        total.to(y.dtype.element_ty),
        mask=(t < length)[:, None] & (c < size)[None, :],
    )


@triton.jit
def _weight_gradient(  # type: ignore[no-untyped-def]
    x,
    dy,
    out,
    source,
    length,
    taps,
    size,
    left,
    x_batch,
    x_time,
    dy_batch,
    dy_time,
    out_batch,
    out_row,
    out_head,
    SUMMED: tl.constexpr,
    PRECISE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    block = tl.program_id(0)
    head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    t = block * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, COLUMNS)
    for k in range(taps):
        s = t + k - left
        real = (s >= 0) & (s < source) & (t < length)
        total = tl.zeros((ROWS,), dtype=PRECISE)
        for start in range(0, size, COLUMNS):
            c = start + columns
            mask = real[:, None] & (c < size)[None, :]
            channel = (head * size + c)[None, :]
            values = tl.load(x + batch * x_batch + s[:, None] * x_time + channel, mask, other=0)
            slopes = tl.load(dy + batch * dy_batch + t[:, None] * dy_time + channel, mask, other=0)
            total += tl.sum(values.to(PRECISE) * slopes.to(PRECISE), 1)
        place = out + batch * out_batch + head * out_head + k
        if SUMMED:
            tl.store(place + block * out_row, tl.sum(total, 0))
        else:
            tl.store(place + t * out_row, total.to(out.dtype.element_ty), mask=t < length)


def convolve(x: Tensor, weight: Tensor, left: int, length: int, transposed: bool) -> Tensor:
    """As :func:`curate.nn.light.functional.eager.dynamic_conv`."""
    x = x.contiguous()
    batch, source, channels = x.shape
    heads, taps = weight.shape[2:]
    y = x.new_empty(batch, length, channels)
    size = channels // heads
    columns = _columns(size)
    grid = (triton.cdiv(length, _ROWS), heads * triton.cdiv(size, columns), batch)
    with torch.cuda.device_of(x):  # Triton launches on the current device
        _convolve[grid](
            x,
            weight,
            y,
            source,
            length,
            taps,
            size,
            left,
            *x.stride()[:2],
            *weight.stride(),
            *y.stride()[:2],
            TRANSPOSED=transposed,
            PRECISE=_precise(x),
            ROWS=_ROWS,
            COLUMNS=columns,
        )
    return y


def weight_gradient(
    x: Tensor, dy: Tensor, heads: int, taps: int, left: int, summed: bool
) -> Tensor:
    """Every position's kernel gradient (B, T, H, K), or each example's, (B, H, K)."""
    x, dy = x.contiguous(), dy.contiguous()
    batch, length, channels = dy.shape
    size = channels // heads
    blocks = triton.cdiv(length, _ROWS)
    if summed:
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        out = x.new_empty(batch, blocks, heads, taps, dtype=wide)
    else:
        out = x.new_empty(batch, length, heads, taps)
    with torch.cuda.device_of(x):
        _weight_gradient[(blocks, heads, batch)](
            x,
            dy,
            out,
            x.shape[1],
            length,
            taps,
            size,
            left,
            *x.stride()[:2],
            *dy.stride()[:2],
            *out.stride()[:3],
            SUMMED=summed,
            PRECISE=_precise(x),
            ROWS=_ROWS,
            COLUMNS=_columns(size),
        )
    return out.sum(1) if summed else out


def _columns(size: int) -> int:
    return min(64, triton.next_power_of_2(size))


def _precise(x: Tensor) -> tl.dtype:
    return tl.float64 if x.dtype == torch.float64 else tl.float32
