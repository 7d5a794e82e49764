"""Derivatives of the operators, of any order and under every transform of ``torch.func``.

Each operator's gradients are again calls of the four, so that they close under differentiation;
each folds a dimension added by ``vmap`` into the batch, so that per-example gradients run at the
speed of a batch. An ``autograd.Function`` knows all of that; the operators by name, as TorchScript
and ``torch.compile`` call them, know the same backward formulas.
"""

from typing import Any

import torch
from torch import Tensor

from curate.nn.light.functional import operators


def _folded(tensor: Tensor, dim: int | None, size: int) -> Tensor:
    """(V, B, ...) as (V * B, ...), where V is the dimension that vmap added."""
    stacked = tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
    return stacked.flatten(0, 1)


class _Bilinear(torch.autograd.Function):
    """Base of the four: two tensors, saved for both gradients, then plain numbers."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Keep the two tensors, and the numbers as they came."""
        first, second, *ctx.rest = inputs
        ctx.save_for_backward(first, second)
        ctx.save_for_forward(first, second)


class LightConv(_Bilinear):
    """``curate::light_conv`` of x (B, T, C) and kernel (H, K)."""

    @staticmethod
    def forward(x: Tensor, kernel: Tensor, left: int, length: int, backend: str) -> Tensor:
        """The operator."""
        return operators.light_conv(x, kernel, left, length, backend)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple:
        """The flipped kernel over dy; the summed products with x."""
        (x, kernel), (left, _, backend) = ctx.saved_tensors, ctx.rest
        heads, taps = kernel.shape
        dx = dkernel = None
        if ctx.needs_input_grad[0]:
            dx = LightConv.apply(dy, kernel.flip(1), taps - 1 - left, x.shape[1], backend)
        if ctx.needs_input_grad[1]:
            per_example = LightConvWeight.apply(x, dy, heads, taps, left, backend)
            dkernel = per_example.sum(0).to(kernel.dtype)
        return dx, dkernel, None, None, None

    @staticmethod
    def jvp(ctx: Any, x_: Tensor | None, kernel_: Tensor | None, *_: None) -> Tensor:
        """The product rule."""
        x, kernel = ctx.saved_tensors
        return _sum(
            None if x_ is None else LightConv.apply(x_, kernel, *ctx.rest),
            None if kernel_ is None else LightConv.apply(x, kernel_, *ctx.rest),
        )

    @staticmethod
    def vmap(info: Any, dims: tuple, x: Tensor, kernel: Tensor, *rest: Any) -> tuple[Tensor, int]:
        """One kernel per example is a dynamic kernel that is constant over time."""
        left, length, backend = rest
        size = info.batch_size
        x = _folded(x, dims[0], size)
        if dims[1] is None:
            y = LightConv.apply(x, kernel, left, length, backend)
        else:
            kernel = kernel.movedim(dims[1], 0).to(x.dtype)
            kernel = kernel.repeat_interleave(x.shape[0] // size, 0)
            weight = kernel.unsqueeze(1).expand(-1, length, -1, -1)
            y = DynamicConv.apply(x, weight, left, length, False, backend)
        return y.unflatten(0, (size, -1)), 0


class DynamicConv(_Bilinear):
    """``curate::dynamic_conv`` of x (B, T, C) and weight (B, T', H, K)."""

    @staticmethod
    def forward(
        x: Tensor, weight: Tensor, left: int, length: int, transposed: bool, backend: str
    ) -> Tensor:
        """The operator."""
        return operators.dynamic_conv(x, weight, left, length, transposed, backend)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple:
        """The transposed matrix over dy; the products of dy and x along the band."""
        (x, weight), (left, _, transposed, backend) = ctx.saved_tensors, ctx.rest
        heads, taps = weight.shape[2:]
        dx = dweight = None
        if ctx.needs_input_grad[0]:
            dx = DynamicConv.apply(dy, weight, left, x.shape[1], not transposed, backend)
        if ctx.needs_input_grad[1]:
            source, outputs = (dy, x) if transposed else (x, dy)
            dweight = DynamicConvWeight.apply(source, outputs, heads, taps, left, backend)
            dweight = dweight.to(weight.dtype)
        return dx, dweight, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, x_: Tensor | None, weight_: Tensor | None, *_: None) -> Tensor:
        """The product rule."""
        x, weight = ctx.saved_tensors
        return _sum(
            None if x_ is None else DynamicConv.apply(x_, weight, *ctx.rest),
            None if weight_ is None else DynamicConv.apply(x, weight_, *ctx.rest),
        )

    @staticmethod
    def vmap(info: Any, dims: tuple, *inputs: Any) -> tuple[Tensor, int]:
        """One larger batch."""
        return _batched(DynamicConv, info.batch_size, dims, inputs)


class _Weight(_Bilinear):
    """What the two gradients of kernels share: x (B, T, C) and dy (B, T', C)."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple:
        """Both are convolutions by g (B, T', H, K)."""
        (x, dy), (_, _, left, backend) = ctx.saved_tensors, ctx.rest
        g = g.to(x.dtype)
        if g.dim() == 3:  # (B, H, K): the same at every position
            g = g.unsqueeze(1).expand(-1, dy.shape[1], -1, -1)
        dx = ddy = None
        if ctx.needs_input_grad[0]:
            dx = DynamicConv.apply(dy, g, left, x.shape[1], True, backend)
        if ctx.needs_input_grad[1]:
            ddy = DynamicConv.apply(x, g, left, dy.shape[1], False, backend)
        return dx, ddy, None, None, None, None


class LightConvWeight(_Weight):
    """``curate::light_conv_weight``: each example's kernel gradient, (B, H, K)."""

    @staticmethod
    def forward(x: Tensor, dy: Tensor, heads: int, taps: int, left: int, backend: str) -> Tensor:
        """The operator."""
        return operators.light_conv_weight(x, dy, heads, taps, left, backend)

    @staticmethod
    def jvp(ctx: Any, x_: Tensor | None, dy_: Tensor | None, *_: None) -> Tensor:
        """The product rule."""
        return _weight_jvp(LightConvWeight, ctx, x_, dy_)

    @staticmethod
    def vmap(info: Any, dims: tuple, *inputs: Any) -> tuple[Tensor, int]:
        """One larger batch."""
        return _batched(LightConvWeight, info.batch_size, dims, inputs)


class DynamicConvWeight(_Weight):
    """``curate::dynamic_conv_weight``: every position's kernel gradient, (B, T', H, K)."""

    @staticmethod
    def forward(x: Tensor, dy: Tensor, heads: int, taps: int, left: int, backend: str) -> Tensor:
        """The operator."""
        return operators.dynamic_conv_weight(x, dy, heads, taps, left, backend)

    @staticmethod
    def jvp(ctx: Any, x_: Tensor | None, dy_: Tensor | None, *_: None) -> Tensor:
        """The product rule."""
        return _weight_jvp(DynamicConvWeight, ctx, x_, dy_)

    @staticmethod
    def vmap(info: Any, dims: tuple, *inputs: Any) -> tuple[Tensor, int]:
        """One larger batch."""
        return _batched(DynamicConvWeight, info.batch_size, dims, inputs)


def _sum(first: Tensor | None, second: Tensor | None) -> Tensor:
    if first is None or second is None:
        return first if second is None else second  # type: ignore[return-value]
    return first + second


def _weight_jvp(function: Any, ctx: Any, x_: Tensor | None, dy_: Tensor | None) -> Tensor:
    x, dy = ctx.saved_tensors
    return _sum(
        None if x_ is None else function.apply(x_, dy, *ctx.rest),
        None if dy_ is None else function.apply(x, dy_, *ctx.rest),
    )


def _batched(function: Any, size: int, dims: tuple, inputs: tuple) -> tuple[Tensor, int]:
    first, second, *rest = inputs
    first, second = _folded(first, dims[0], size), _folded(second, dims[1], size)
    return function.apply(first, second, *rest).unflatten(0, (size, -1)), 0


for _operator, _function in (
    (operators.light_conv, LightConv),
    (operators.dynamic_conv, DynamicConv),
    (operators.light_conv_weight, LightConvWeight),
    (operators.dynamic_conv_weight, DynamicConvWeight),
):

    def _setup(ctx: Any, inputs: tuple, output: Tensor) -> None:
        first, second, *ctx.rest = inputs
        ctx.save_for_backward(first, second)

    _operator.register_autograd(_function.backward, setup_context=_setup)
