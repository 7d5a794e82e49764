"""Softplus in place of the corners of rectifiers (Dombrowski et al., NeurIPS 2019)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F


@dataclass(frozen=True)
class Smooth:
    """A rectifier between two corners, softplus(z) = log(1 + exp(βz)) / β in place of max(z, 0).

    A corner up at a and down at b is a + softplus(z - a) - softplus(z - b).

    Attributes:
        low: where it begins to rise.
        high: where it ends; None: nowhere.
        leak: its slope elsewhere.
        unit: whether it rises from 0 to 1 in between, not by as much as z does.
    """

    low: float = 0
    high: float | None = None
    leak: float = 0
    unit: bool = False

    def value(self, z: Tensor, beta: float) -> Tensor:
        """The function of z."""
        up = softplus(z if self.low == 0 else z - self.low, beta)
        up = up if self.low == 0 else up + self.low
        up = up if self.high is None else up - softplus(z - self.high, beta)
        if self.unit and self.high is not None:
            return (up - self.low) / (self.high - self.low)
        return self.leak * z + (1 - self.leak) * up if self.leak else up

    def slope(self, z: Tensor, beta: float) -> Tensor:
        """Its derivative at z."""
        up = torch.sigmoid((z if self.low == 0 else z - self.low) * beta)
        up = up if self.high is None else up - torch.sigmoid((z - self.high) * beta)
        if self.unit and self.high is not None:
            return up / (self.high - self.low)
        return self.leak + (1 - self.leak) * up if self.leak else up


def softplus(z: Tensor, beta: float) -> Tensor:
    """log(1 + exp(βz)) / β, differentiable as often as needed.

    torch's own has a logarithm in forward that runs one number at a time, and an exponential in
    every derivative: an attack through a map spent more than half of its time there. Here the
    logistic function is computed once, and all derivatives are products of it.
    """
    if torch.is_grad_enabled() and z.requires_grad:
        return _Softplus.apply(z, torch.sigmoid(z * beta), beta)  # type: ignore[no-untyped-call]
    return _softplus(z, beta)


class _Softplus(Function):
    """Softplus, given its derivative."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, slope: Tensor, beta: float) -> Tensor:
        ctx.save_for_backward(slope)
        return _softplus(z, beta)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None


def _softplus(z: Tensor, beta: float) -> Tensor:
    if z.is_cuda:  # one kernel; from 40 on exp(-βz) is below what float64 sees
        return F.softplus(z, beta, 40.0)
    scaled = z * beta
    # numbers near the smallest that there are would take ten times as long, here and further on
    small = scaled.abs().clamp_(max=60).neg_().exp_()
    whole = 1 + small
    lost = (whole - 1).sub_(small).div_(whole)  # what rounding took from log(1 + small)
    return scaled.clamp_(min=0).add_(whole.log_()).sub_(lost).div_(beta)


def name_of(function: Any) -> str:
    """Of a torch function, whether it works in place or not."""
    return getattr(function, "__name__", "").strip("_")


def smoothed(name: str, args: tuple, kwargs: dict) -> Smooth | None:
    """What a call of a torch function is with softplus for its corners.

    Args:
        name: of the torch function, without a trailing underscore.
        args: of the call, the input first.
        kwargs: of the call.

    Returns:
        None where the call has no corner that is known.
    """
    if name == "relu":
        return _between(0, None)
    if name == "relu6":
        return _between(0, 6)
    if name == "hardsigmoid":
        return Smooth(-3, 3, unit=True)
    if name == "hardtanh":
        return _between(
            _argument(args, kwargs, 1, "min_val", -1), _argument(args, kwargs, 2, "max_val", 1)
        )
    if name in ("clamp", "clip"):
        return _between(
            _argument(args, kwargs, 1, "min", None), _argument(args, kwargs, 2, "max", None)
        )
    if name == "clamp_min":
        return _between(_argument(args, kwargs, 1, "min", None), None)
    if name == "threshold":
        low = _argument(args, kwargs, 1, "threshold", None)
        same = low == _argument(args, kwargs, 2, "value", None)
        return _between(low, None) if same else None
    if name == "leaky_relu":
        return Smooth(leak=_argument(args, kwargs, 1, "negative_slope", 0.01))
    return None


def _between(low: Any, high: Any) -> Smooth | None:
    if not isinstance(low, (int, float)) or not (high is None or isinstance(high, (int, float))):
        return None
    return Smooth(low, high)


def _argument(args: tuple, kwargs: dict, position: int, name: str, default: Any) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)
