"""Light and dynamic convolution as functions of their input and kernel (Wu et al., ICLR 2019)."""

import torch
from torch import Tensor

from curate.nn.light.errors import LightConvError
from curate.nn.light.functional.dispatch import check_backend, convolve
from curate.nn.light.functional.geometry import (
    Padding,
    check_documents,
    check_layout,
    inside,
    real_positions,
    resolve_padding,
    same_document,
    to_btc,
    within,
)
from curate.nn.light.functional.normalization import normalized, renormalized


def lightweight_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: Padding = "same",
    layout: str = "BTC",
    normalize: str | None = "softmax",
    renorm_padding: bool = False,
    lengths: Tensor | None = None,
    seq_idx: Tensor | None = None,
    backend: str = "auto",
) -> Tensor:
    """Depthwise convolution whose channels share H softmax-normalised kernels (equation 3).

    ``y[t, c] = sum_k softmax(weight[h])[k] * x[t + k - left, c] + bias[c]`` where channel c belongs
    to head ``h = c // (C / H)`` and x is zero outside the sequence. Memory is linear in T.

    Args:
        x: (B, T, C), or as ``layout`` says; float16, bfloat16, float32 or float64.
        weight: (H, K), or fairseq's (H, 1, K); H divides C, K may exceed T.
        bias: (C,).
        padding: "same" (an even kernel has its larger part after the position), "causal", p zeros
            on both sides, or a pair (left, right); the output has T + left + right - K + 1
            positions.
        layout: "BTC", "BCT" or "TBC", of x and of the output.
        normalize: "softmax" over the K taps, in float32 under half precision, or None.
        renorm_padding: normalise over the taps that lie inside the sequence, so that a position
            near an edge is a weighted mean of what it sees; zero where it sees nothing.
        lengths: (B,) integers; from there on x counts as zero padding, whatever it holds.
        seq_idx: (B, T) integers, the number of each position's document where several lie one
            after the other: none sees another, as if each were convolved by itself.
        backend: "auto" (Triton on CUDA, PyTorch elsewhere, "composed" in an export), "torch",
            "triton", or "composed" (ordinary operations: slower, with forward-mode derivatives).

    Returns:
        Tensor of x's dtype and layout.

    Raises:
        LightConvError: shapes that do not fit, or an unknown option; the message says which.

    Example:
        >>> x, weight = torch.randn(2, 7, 8), torch.randn(4, 3)
        >>> lightweight_conv1d(x, weight, padding="causal").shape
        torch.Size([2, 7, 8])
    """
    if weight.dim() == 3 and weight.shape[1] == 1:
        weight = weight.squeeze(1)
    if weight.dim() != 2:
        raise LightConvError(f"weight: shape {_shape(weight)}; give (H, K) or (H, 1, K)")
    x, left, right, real = _prepared(
        x, weight, bias, padding, layout, normalize, renorm_padding, lengths, seq_idx, backend
    )
    softmax = normalize is not None
    kernel = shared_kernel(weight, x, left, right, softmax, renorm_padding, real, seq_idx)
    return _finished(convolve(x, kernel, left, right, backend), bias, layout)


def dynamic_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: Padding = "same",
    layout: str = "BTC",
    normalize: str | None = "softmax",
    renorm_padding: bool = False,
    lengths: Tensor | None = None,
    seq_idx: Tensor | None = None,
    backend: str = "auto",
) -> Tensor:
    """Convolution with a separate kernel at every position (equation 4).

    ``y[t, c] = sum_k softmax(weight[t, h])[k] * x[t + k - left, c] + bias[c]``, otherwise as
    :func:`lightweight_conv1d`.

    Args:
        x: (B, T, C), or as ``layout`` says.
        weight: (B, T, H, K) whatever the layout: a kernel for every position of the output.
        bias: (C,).
        padding: as for :func:`lightweight_conv1d`.
        layout: "BTC", "BCT" or "TBC", of x and of the output.
        normalize: "softmax" over the K taps, or None.
        renorm_padding: normalise over the taps inside the sequence.
        lengths: (B,) integers; from there on x counts as zero padding.
        seq_idx: as for :func:`lightweight_conv1d`.
        backend: as for :func:`lightweight_conv1d`.

    Raises:
        LightConvError: shapes that do not fit, or an unknown option; the message says which.

    Example:
        >>> x, weight = torch.randn(2, 7, 8), torch.randn(2, 7, 4, 3)
        >>> dynamic_conv1d(x, weight).shape
        torch.Size([2, 7, 8])
    """
    if weight.dim() != 4:
        raise LightConvError(f"weight: shape {_shape(weight)}; give (B, T, H, K)")
    x, left, right, real = _prepared(
        x, weight, bias, padding, layout, normalize, renorm_padding, lengths, seq_idx, backend
    )
    length = x.shape[1] + left + right - weight.shape[3] + 1
    if weight.shape[0] != x.shape[0] or weight.shape[1] != length:
        raise LightConvError(
            f"weight: shape {_shape(weight)}; x and the padding need "
            f"({x.shape[0]}, {length}, H, K), a kernel for every position of the output"
        )
    softmax = normalize is not None
    kernel = own_kernels(weight, x, left, softmax, renorm_padding, real, seq_idx)
    return _finished(convolve(x, kernel.to(x.dtype), left, right, backend), bias, layout)


def shared_kernel(
    weight: Tensor,
    x: Tensor,
    left: int,
    right: int,
    softmax: bool,
    renorm: bool,
    real: Tensor | None,
    seq_idx: Tensor | None,
) -> Tensor:
    """The kernel (H, K) to use, or (B, length, H, K) where edges change it; x is (B, T, C)."""
    if not renorm and seq_idx is None:
        return normalized(weight) if softmax else weight
    length = x.shape[1] + left + right - weight.shape[1] + 1
    own = weight.expand(x.shape[0], length, weight.shape[0], weight.shape[1])
    return own_kernels(own, x, left, softmax, renorm, real, seq_idx).to(x.dtype)


def own_kernels(
    weight: Tensor,
    x: Tensor,
    left: int,
    softmax: bool,
    renorm: bool,
    real: Tensor | None,
    seq_idx: Tensor | None,
) -> Tensor:
    """The kernels (B, length, H, K) to use for x (B, T, C)."""
    taps = weight.shape[3]
    if not renorm:
        kernel = normalized(weight) if softmax else weight
        if seq_idx is None:
            return kernel
        return kernel.masked_fill(~same_document(seq_idx, taps, left), 0)
    if real is None:
        real = torch.ones(1, x.shape[1], dtype=torch.bool, device=x.device)
    valid = inside(real, taps, left, weight.shape[1])
    if seq_idx is not None:
        valid = valid & same_document(seq_idx, taps, left)
    return renormalized(weight, valid)


def _prepared(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding: Padding,
    layout: str,
    normalize: str | None,
    renorm_padding: bool,
    lengths: Tensor | None,
    seq_idx: Tensor | None,
    backend: str,
) -> tuple[Tensor, int, int, Tensor | None]:
    """Input (B, T, C), padding before and after, and the real positions, all checked."""
    check_layout(layout)
    check_backend(backend)
    if normalize not in ("softmax", None):
        raise LightConvError(f"normalize: {normalize!r}; give 'softmax' or None")
    if renorm_padding and normalize is None:
        raise LightConvError("renorm_padding: True without normalisation; set normalize='softmax'")
    if x.dim() != 3 or not x.is_floating_point():
        raise LightConvError(f"x: shape {_shape(x)}, {x.dtype}; give floats, {', '.join(layout)}")
    x = to_btc(x, layout)
    heads, taps = weight.shape[-2:]
    source, channels = x.shape[1:]
    if taps < 1 or heads < 1 or channels % heads:
        raise LightConvError(
            f"weight: {heads} heads of {taps} taps for {channels} channels; "
            "give at least one tap and a number of heads that divides the channels"
        )
    if bias is not None and bias.shape != (channels,):
        raise LightConvError(f"bias: shape {_shape(bias)}; x needs ({channels},)")
    real = real_positions(x, lengths)
    left, right = resolve_padding(padding, taps)
    if source + left + right < taps:
        raise LightConvError(
            f"padding: {padding!r} leaves no output of {source} positions under {taps} taps"
        )
    check_documents(seq_idx, x, left + right, taps)
    return within(x, real), left, right, real


def _finished(y: Tensor, bias: Tensor | None, layout: str) -> Tensor:
    return to_btc(y if bias is None else y + bias.to(y.dtype), layout)


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
