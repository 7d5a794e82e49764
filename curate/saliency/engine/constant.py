"""A model whose weights are constants, so that only the images are differentiated by."""

import inspect
from collections.abc import Callable
from functools import partial
from inspect import Parameter
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Map = Callable[[Tensor], Tensor]


def _signature(*names: str, **defaults: Any) -> inspect.Signature:
    kind = Parameter.POSITIONAL_OR_KEYWORD
    given = [Parameter(name, kind) for name in names]
    return inspect.Signature(
        [*given, *(Parameter(name, kind, default=value) for name, value in defaults.items())]
    )


_CONVOLUTION = _signature(
    "input", "weight", bias=None, stride=1, padding=0, dilation=1, groups=1
)  # fmt: skip
_BATCH_NORM = _signature(
    "input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps",
    "cudnn_enabled",
)  # fmt: skip


class ConstantWeights(TorchFunctionMode):
    """Takes parameters for constants wherever a torch function is given one; the model stays.

    torch differentiates its convolutions and batch norms twice by all that they might depend on,
    their weights too, whoever asks for it: the larger part of an attack's step. With constant
    weights a convolution and a batch norm in evaluation mode are linear, and so is their gradient.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call a torch function while the model runs."""
        if getattr(func, "__name__", "") == "__set__":  # of the parameter itself
            return func(*args, **(kwargs or {}))
        args = tuple(_constant(value) for value in args)
        kwargs = {name: _constant(value) for name, value in (kwargs or {}).items()}
        known = _LINEAR.get(func)
        if known is not None:
            signature, linear = known
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            if _are_constant(given.arguments):
                found = linear(**given.arguments)
                if found is not None:
                    return found
        return func(*args, **kwargs)


def _constant(value: Any) -> Any:
    return value.detach() if isinstance(value, nn.Parameter) else value


def _are_constant(given: dict[str, Any]) -> bool:
    """Whether all but the input are; the weights of a dynamic convolution hang on the image."""
    if torch.is_autocast_enabled(given["input"].device.type):
        return False
    return not any(
        isinstance(value, Tensor) and value.requires_grad and name != "input"
        for name, value in given.items()
    )


class _Linear(Function):
    """f(x) of an affine f, differentiable as often as needed, by x alone.

    Args:
        value: f. ``adjoint``: of its linear part. ``linear``: its linear part.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Map, adjoint: Map, linear: Map) -> Tensor:
        ctx.adjoint, ctx.linear = adjoint, linear
        return value(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        found = _Linear.apply(gradient, ctx.adjoint, ctx.linear, ctx.adjoint)  # type: ignore[no-untyped-call]
        return found, None, None, None


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor | None:
    places = weight.ndim - 2
    if input.ndim != weight.ndim or isinstance(padding, str):
        return None
    sides = [[side] * places if isinstance(side, int) else list(side)
             for side in (stride, padding, dilation)]  # fmt: skip
    options = (*sides, False, [0] * places, groups)
    shape = input.shape

    def adjoint(gradient: Tensor) -> Tensor:
        found: Tensor = torch.ops.aten.convolution_backward(
            gradient, gradient.new_empty(1).expand(shape), weight, None, *options,
            [True, False, False],
        )[0]  # fmt: skip
        return found

    value, linear = (
        partial(torch.ops.aten.convolution, weight=weight, bias=shift, stride=sides[0],
                padding=sides[1], dilation=sides[2], transposed=False,
                output_padding=[0] * places, groups=groups)
        for shift in (bias, None)
    )  # fmt: skip
    return _Linear.apply(input, value, adjoint, linear)  # type: ignore[no-untyped-call]


def _batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    eps: float,
    **_: Any,
) -> Tensor | None:
    if training or running_mean is None or running_var is None:
        return None
    scale = (running_var + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    shift = -running_mean * scale
    if bias is not None:
        shift = shift + bias
    shape = (1, -1, *[1] * (input.ndim - 2))
    scale, shift = scale.view(shape).to(input.dtype), shift.view(shape).to(input.dtype)
    scaled = scale.mul
    return _Linear.apply(  # type: ignore[no-untyped-call]
        input, partial(torch.addcmul, shift, scale), scaled, scaled
    )


_LINEAR: dict[Any, tuple[inspect.Signature, Callable[..., Tensor | None]]] = {
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), (_CONVOLUTION, _convolution)),
    F.batch_norm: (inspect.signature(F.batch_norm), _batch_norm),
    torch.batch_norm: (_BATCH_NORM, _batch_norm),
}
