"""Four operators, closed under differentiation, that ``torch`` knows by name.

``curate::light_conv`` and ``curate::dynamic_conv`` convolve, the two ending in ``_weight`` are the
gradients of their kernels. They carry their arithmetic and shapes; derivatives.py adds the rest.
"""

import importlib.util

import torch
from torch import Tensor

from curate.nn.light.functional import eager

_HAS_TRITON = importlib.util.find_spec("triton") is not None


def use_triton(x: Tensor, backend: str) -> bool:
    """Whether to use the fused kernel: backend "triton", or "auto" with x on CUDA."""
    return backend == "triton" or (backend == "auto" and x.is_cuda and _HAS_TRITON)


@torch.library.custom_op("curate::light_conv", mutates_args=())
def light_conv(x: Tensor, kernel: Tensor, left: int, length: int, backend: str) -> Tensor:
    """``y[t] = sum_k kernel[h, k] x[t + k - left]``: x (B, T, C), kernel (H, K)."""
    if use_triton(x, backend):
        from curate.nn.light.functional import triton_kernels

        weight = kernel.expand(x.shape[0], length, *kernel.shape)
        return triton_kernels.convolve(x, weight, left, length, transposed=False)
    return eager.light_conv(x, kernel, left, length)


@torch.library.custom_op("curate::light_conv_weight", mutates_args=())
def light_conv_weight(
    x: Tensor, dy: Tensor, heads: int, taps: int, left: int, backend: str
) -> Tensor:
    """Each example's kernel gradient, (B, H, K); float32 for half precision."""
    if use_triton(x, backend):
        from curate.nn.light.functional import triton_kernels

        return triton_kernels.weight_gradient(x, dy, heads, taps, left, summed=True)
    return eager.light_conv_weight(x, dy, heads, taps, left)


@torch.library.custom_op("curate::dynamic_conv", mutates_args=())
def dynamic_conv(
    x: Tensor, weight: Tensor, left: int, length: int, transposed: bool, backend: str
) -> Tensor:
    """``y[t] = sum_k weight[t, h, k] x[t + k - left]``, or by the transposed matrix."""
    if use_triton(x, backend):
        from curate.nn.light.functional import triton_kernels

        return triton_kernels.convolve(x, weight, left, length, transposed)
    return eager.dynamic_conv(x, weight, left, length, transposed)


@torch.library.custom_op("curate::dynamic_conv_weight", mutates_args=())
def dynamic_conv_weight(
    x: Tensor, dy: Tensor, heads: int, taps: int, left: int, backend: str
) -> Tensor:
    """Every position's kernel gradient, (B, length, H, K)."""
    if use_triton(x, backend):
        from curate.nn.light.functional import triton_kernels

        return triton_kernels.weight_gradient(x, dy, heads, taps, left, summed=False)
    return eager.dynamic_conv_weight(x, dy, heads, taps, left)


@light_conv.register_fake
def _(x, kernel, left, length, backend):  # type: ignore[no-untyped-def]
    return x.new_empty(x.shape[0], length, x.shape[2])


@light_conv_weight.register_fake
def _(x, dy, heads, taps, left, backend):  # type: ignore[no-untyped-def]
    half = x.dtype in (torch.float16, torch.bfloat16)
    return x.new_empty(x.shape[0], heads, taps, dtype=torch.float32 if half else x.dtype)


@dynamic_conv.register_fake
def _(x, weight, left, length, transposed, backend):  # type: ignore[no-untyped-def]
    return x.new_empty(x.shape[0], length, x.shape[2])


@dynamic_conv_weight.register_fake
def _(x, dy, heads, taps, left, backend):  # type: ignore[no-untyped-def]
    return x.new_empty(x.shape[0], dy.shape[1], heads, taps)
