"""DeepLIFT's rescale rule (Shrikumar et al., ICML 2017, eq. 6-8) for every kind of function.

The batch holds the images first and their baselines second, or the one that they share. A
function's multiplier is the difference of its outputs over that of its inputs; multipliers chain
like derivatives, and each keeps the difference, so that the map adds up to the difference of the
logits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from curate.saliency.engine.rules import Backward, Function, Rules, true_backward

_STRAIGHT = (
    *("relu", "relu6", "hardtanh", "leaky_relu", "prelu", "threshold", "clamp", "clip"),
    *("clamp_min", "clamp_max", "abs", "absolute", "hardsigmoid", "hardshrink", "softshrink"),
)
_CURVED = (
    *("softplus", "sigmoid", "tanh", "gelu", "silu", "mish", "elu", "selu", "celu", "hardswish"),
    *("logsigmoid", "softsign", "tanhshrink", "exp", "exp2", "expm1", "log", "log2", "log10"),
    *("log1p", "sqrt", "rsqrt", "square", "pow", "reciprocal", "erf", "sin", "cos", "atan"),
)


@dataclass(frozen=True)
class Pairs:
    """How a batch is made of images and baselines: one each, or one that all share."""

    images: int
    baselines: int

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of the images, and of their baselines, which may be left to broadcast."""
        here, there = self._parts(z)
        if len(there) > 1 and self.baselines < self.images:  # a model that folds places into rows
            there = there.repeat(self.images, *[1] * (z.ndim - 1))
        return here, there

    def join(self, here: Tensor, z: Tensor) -> Tensor:
        """The images' multiplied gradient in the batch of z: baselines have none."""
        return torch.cat([here, torch.zeros_like(self._parts(z)[1])])

    def average(self, z: Tensor) -> Tensor:
        """The mean of image and baseline, in the rows of the images."""
        here, there = self.split(z)
        return torch.cat([(here + there) / 2, self._parts(z)[1]])

    def fit(self, z: Tensor) -> bool:
        """Whether a tensor has the rows of the batch."""
        return len(z) % (self.images + self.baselines) == 0

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        each = len(z) // (self.images + self.baselines)
        here, there = z.split([each * self.images, each * self.baselines])
        return here, there


def rescale_rules(softplus_beta: float | None, pairs: Pairs) -> Rules:
    """Rules of element-wise functions, max-pooling and products."""
    curved: Backward = partial(_curved, pairs)
    straight: Backward = partial(_straight, pairs) if softplus_beta is None else curved
    rules: dict[str, Backward] = dict.fromkeys(_STRAIGHT, straight)
    rules |= dict.fromkeys(_CURVED, curved)
    calls: dict[str, Callable[..., Any]] = dict.fromkeys(_POOLS, partial(_max_pool, pairs))
    calls |= dict.fromkeys(("mul", "multiply", "imul"), partial(_product, pairs))
    return Rules(softplus_beta, rules, calls)


def _straight(
    pairs: Pairs, function: Function, z: Tensor, out: Tensor | None, gradient: Tensor
) -> Tensor:
    return _rescaled(pairs, function, z, out, gradient, 0.0)


def _curved(
    pairs: Pairs, function: Function, z: Tensor, out: Tensor | None, gradient: Tensor
) -> Tensor:
    # below, rounding spoils the quotient more than the curve spoils the derivative in the middle
    return _rescaled(pairs, function, z, out, gradient, 1e-5 if z.dtype == torch.float64 else 1e-3)


def _rescaled(
    pairs: Pairs,
    function: Function,
    z: Tensor,
    whole: Tensor | None,
    gradient: Tensor,
    least: float,
) -> Tensor:
    here, there = pairs.split(z)
    out, out_there = pairs.split(function(z) if whole is None else whole)
    difference = here - there
    is_small = difference.abs() <= least
    quotient = (out - out_there) / torch.where(is_small, 1, difference)
    middle = (here + there) / 2
    derivative = true_backward(function, middle, torch.ones_like(middle))
    multiplier = torch.where(is_small, derivative, quotient)
    return pairs.join(pairs.split(gradient)[0] * multiplier, z)


class _Product(torch.autograd.Function):
    """a·b: Δ(ab) = Δa · mean of both b + Δb · mean of both a."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, pairs: Pairs, state: Rules) -> Tensor:
        ctx.save_for_backward(a, b)
        ctx.pairs, ctx.state = pairs, state
        return a * b

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        a, b = ctx.saved_tensors
        if ctx.state.is_explaining:
            a, b = (ctx.pairs.average(part) for part in (a, b))
        by_a, by_b = (gradient * b).sum_to_size(a.shape), (gradient * a).sum_to_size(b.shape)
        return by_a, by_b, None, None


def _product(pairs: Pairs, state: Rules, func: Any, args: tuple, kwargs: dict) -> Any:
    if len(args) == 2 and all(isinstance(one, Tensor) and one.requires_grad for one in args):
        a, b = args
        real = not (a.is_complex() or b.is_complex())
        if real and a.ndim == b.ndim and len(a) == len(b) and pairs.fit(a):
            in_place = func.__name__ in ("mul_", "multiply_", "__imul__")
            out = _Product.apply(a.clone() if in_place else a, b, pairs, state)  # type: ignore[no-untyped-call]
            return a.copy_(out) if in_place else out
    return func(*args, **kwargs)


_POOLS = {
    f"{kind}max_pool{axes}d{ending}": axes
    for kind in ("", "adaptive_")
    for axes in (1, 2, 3)
    for ending in ("", "_with_indices")
}


def _max_pool(pairs: Pairs, state: Rules, func: Any, args: tuple, kwargs: dict) -> Any:
    name = func.__name__.removesuffix("_with_indices")
    z = args[0] if args else kwargs["input"]
    named = {key: value for key, value in kwargs.items() if key not in ("input", "return_indices")}
    most = 2 if name.startswith("adaptive") else 6
    pool = getattr(F, name)
    _, indices = pool(z.detach(), *args[1:most], **named, return_indices=True)
    out = _MaxPool.apply(z, indices, _POOLS[name], pairs, state)  # type: ignore[no-untyped-call]
    asked = func.__name__.endswith("_with_indices") or kwargs.get("return_indices", False)
    return (out, indices) if asked else out


class _MaxPool(torch.autograd.Function):
    """Max-pooling: all of the difference goes to the place of the larger of both maxima.

    There the inputs differ at least as much as the outputs do, so multipliers lie in 0..1 (the
    authors' own rule).
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, indices: Tensor, axes: int, pairs: Pairs, state: Rules
    ) -> Tensor:
        ctx.save_for_backward(z, indices)
        ctx.axes, ctx.pairs, ctx.state = axes, pairs, state
        return _pick(z, indices, axes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        z, indices = ctx.saved_tensors
        if not ctx.state.is_explaining:
            return _put(gradient, z, indices, ctx.axes), None, None, None, None
        (here, there), (places, places_there) = (ctx.pairs.split(part) for part in (z, indices))
        out, out_there = _pick(here, places, ctx.axes), _pick(there, places_there, ctx.axes)
        places = torch.where(out >= out_there, places, places_there)
        difference = _pick(here - there, places, ctx.axes)
        same = difference == 0
        multiplier = torch.where(same, 1, (out - out_there) / torch.where(same, 1, difference))
        upper = _put(ctx.pairs.split(gradient)[0] * multiplier, here, places, ctx.axes)
        return ctx.pairs.join(upper, z), None, None, None, None


def _pick(z: Tensor, indices: Tensor, axes: int) -> Tensor:
    return z.flatten(-axes).gather(-1, indices.flatten(-axes)).view_as(indices)


def _put(values: Tensor, like: Tensor, indices: Tensor, axes: int) -> Tensor:
    flat = torch.zeros_like(like).flatten(-axes)
    return flat.scatter_add(-1, indices.flatten(-axes), values.flatten(-axes)).view_as(like)
