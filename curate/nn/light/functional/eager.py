"""The operators' arithmetic in pure PyTorch: fast on a CPU, correct on any device.

Two ideas carry it. A depthwise convolution whose channels lie last in memory is a single call
into PyTorch's own convolution. And the part of a band matrix that a block of ``n`` positions
needs is only ``n`` x ``(n + K - 1)`` wide, so that a matrix product a block does the work of
dynamic convolution, and of both kernels' gradients, with memory linear in the length.

Everywhere ``y[t] = sum_k kernel[k] x[t + k - left]`` for ``0 <= t < length``, x zero outside.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)


def light_conv(x: Tensor, kernel: Tensor, left: int, length: int) -> Tensor:
    """Kernel (H, K) along the time of x (B, T, C), giving (B, length, C)."""
    batch, source, channels = x.shape
    heads, taps = kernel.shape
    first, last = reachable(taps, left, source, length)
    if first >= last or batch == 0:
        return x.new_zeros(batch, length, channels)
    if x.dtype == torch.float64 and x.device.type == "cpu":  # no vectorised convolution for it
        weight = kernel.to(x.dtype).expand(batch, length, heads, taps)
        return dynamic_conv(x, weight, left, length, transposed=False)
    if x.dtype == torch.float16 and x.device.type == "cpu":  # nor for this
        return light_conv(x.float(), kernel, left, length).to(x.dtype)
    kernel, left = kernel[:, first:last], left - first
    right = length + kernel.shape[1] - 1 - left - source
    weight = kernel.to(x.dtype).repeat_interleave(channels // heads, 0)[:, None, None]
    padding = (0, left)
    if left != right or left < 0:  # the convolution itself pads both sides alike
        x, padding = F.pad(x, (0, 0, left, right)), (0, 0)
    image = x.contiguous().transpose(1, 2).unsqueeze(2)  # one row of T pixels, channels last
    out = F.conv2d(image, weight, padding=padding, groups=channels)
    return out.squeeze(2).transpose(1, 2).contiguous()


def light_conv_weight(x: Tensor, dy: Tensor, heads: int, taps: int, left: int) -> Tensor:
    """Gradient of each example's kernel, (B, H, K): ``sum_{t,c} dy[t, c] x[t + k - left, c]``."""
    batch, length = dy.shape[:2]
    out = x.new_zeros(batch, heads, taps, dtype=_precise(x))
    first, last = reachable(taps, left, x.shape[1], length)
    if first >= last:
        return out
    width, left = last - first, left - first
    rows, blocks = _tiling(width, length)
    window = x.new_empty(blocks * rows + width - 1, x.shape[2], dtype=out.dtype)
    gradient = x.new_empty(blocks * rows, x.shape[2], dtype=out.dtype)
    for b in range(batch):
        total = x.new_zeros(heads, rows, rows + width - 1, dtype=out.dtype)
        for at in range(0, length, len(gradient)):
            _fill(gradient, dy[b], at)
            _fill(window, x[b], at - left)
            total += _products(gradient, window, heads, rows).sum(1)
        out[b, :, first:last] = _band(total, width).sum(1)
    return out


def dynamic_conv(x: Tensor, weight: Tensor, left: int, length: int, transposed: bool) -> Tensor:
    """Kernels (B, length, H, K) along the time of x (B, T, C), giving (B, length, C).

    ``transposed`` applies the transposed matrix, as the gradient of x needs: weight is
    (B, T, H, K) then and ``y[s] = sum_k weight[s - k + left, k] x[s - k + left]``.
    """
    batch, source, channels = x.shape
    heads, taps = weight.shape[2:]
    y = x.new_zeros(batch, length, channels)
    if transposed:  # positions change places
        first, last = reachable(taps, left, length, source)
    else:
        first, last = reachable(taps, left, source, length)
    if first >= last:
        return y
    weight, left, width = weight[..., first:last], left - first, last - first
    rows, blocks = _tiling(width, length)
    precise = _precise(x)
    overlap = width - 1
    window = x.new_empty(blocks * rows + overlap, channels, dtype=precise)
    bands = x.new_zeros(heads, blocks, rows, rows + overlap, dtype=precise)
    inside = _band(bands, width).permute(1, 2, 0, 3)  # (blocks, rows, H, K)
    kernels = x.new_empty(
        blocks * rows + (overlap if transposed else 0), heads, width, dtype=precise
    )
    out = x.new_empty(blocks, rows, channels, dtype=precise)
    start = left - overlap if transposed else -left
    for b in range(batch):
        for at in range(0, length, blocks * rows):
            _fill(window, x[b], at + start)
            if transposed:
                _fill(kernels, weight[b], at + start)
                inside.copy_(_skewed(kernels, blocks, rows))
            else:
                _fill(kernels, weight[b], at)
                inside.copy_(kernels.view(blocks, rows, heads, width))
            columns = _windows(window, heads, blocks, rows)
            for to, band, column in zip(out.tensor_split(heads, 2), bands, columns, strict=True):
                torch.bmm(band, column, out=to)
            piece = y[b, at : at + blocks * rows]
            piece.copy_(out.view(-1, channels)[: len(piece)])
    return y


def dynamic_conv_weight(x: Tensor, dy: Tensor, heads: int, taps: int, left: int) -> Tensor:
    """Gradient of every position's kernel (B, T, H, K): ``sum_c dy[t, c] x[t + k - left, c]``."""
    batch, length = dy.shape[:2]
    out = x.new_zeros(batch, length, heads, taps)
    first, last = reachable(taps, left, x.shape[1], length)
    if first >= last:
        return out
    width, left = last - first, left - first
    rows, blocks = _tiling(width, length)
    window = x.new_empty(blocks * rows + width - 1, x.shape[2], dtype=_precise(x))
    gradient = x.new_empty(blocks * rows, x.shape[2], dtype=_precise(x))
    for b in range(batch):
        for at in range(0, length, len(gradient)):
            _fill(gradient, dy[b], at)
            _fill(window, x[b], at - left)
            band = _band(_products(gradient, window, heads, rows), width)
            found = band.permute(1, 2, 0, 3).reshape(blocks * rows, heads, width)
            piece = out[b, at : at + blocks * rows, :, first:last]
            piece.copy_(found[: len(piece)])
    return out


def reachable(taps: int, left: int, source: int, length: int) -> tuple[int, int]:
    """The taps ``first <= k < last`` that meet an input for some output."""
    return max(0, left - length + 1), min(taps, left + source)


def _tiling(width: int, length: int) -> tuple[int, int]:
    """Rows per block, and blocks at a time.

    A product wastes ``width`` columns per block and every call has a fixed cost; buffers of this
    many blocks stay in the cache, whatever the length.
    """
    rows = 32 if width <= 64 else 64
    return rows, min(16, -(-length // rows))


def _precise(x: Tensor) -> torch.dtype:
    return torch.float32 if x.dtype in _HALF else x.dtype


def _fill(buffer: Tensor, rows: Tensor, start: int) -> None:
    """``buffer[i] = rows[start + i]``, zero where there is no such row."""
    first = min(max(-start, 0), len(buffer))
    last = min(max(len(rows) - start, first), len(buffer))
    buffer[:first].zero_()
    buffer[first:last] = rows[start + first : start + last]
    buffer[last:].zero_()


def _windows(window: Tensor, heads: int, blocks: int, rows: int) -> list[Tensor]:
    """Per head, the overlapping slices of window (blocks * rows + K - 1, C): (blocks, ., C/H)."""
    channels = window.shape[1]
    size = channels // heads
    overlap = len(window) - (blocks - 1) * rows
    strides = (rows * channels, channels, 1)
    return [window.as_strided((blocks, overlap, size), strides, h * size) for h in range(heads)]


def _products(gradient: Tensor, window: Tensor, heads: int, rows: int) -> Tensor:
    """Every row of a block with every column of its window: (H, blocks, rows, rows + K - 1)."""
    blocks = len(gradient) // rows
    columns = _windows(window, heads, blocks, rows)
    out = window.new_empty(heads, blocks, rows, columns[0].shape[1])
    pieces = gradient.view(blocks, rows, -1).tensor_split(heads, 2)
    for to, piece, column in zip(out, pieces, columns, strict=True):
        torch.bmm(piece, column.transpose(1, 2), out=to)
    return out


def _band(matrices: Tensor, width: int) -> Tensor:
    """View of ``matrices[..., i, i + k]`` as (..., rows, K)."""
    columns = matrices.shape[-1]
    return matrices.as_strided(
        (*matrices.shape[:-1], width), (*matrices.stride()[:-2], columns + 1, 1)
    )


def _skewed(kernels: Tensor, blocks: int, rows: int) -> Tensor:
    """View of ``kernels[n * rows + i + j, :, K - 1 - j]`` as (blocks, rows, H, K)."""
    _, heads, width = kernels.shape
    row = heads * width
    return kernels.as_strided(
        (blocks, rows, heads, width), (rows * row, row, width, row - 1), width - 1
    )
