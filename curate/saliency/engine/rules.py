"""Other gradients for a model's nonlinearities, whatever way the model calls them.

A :class:`torch.overrides.TorchFunctionMode` sees every call of a torch function while the model
runs: modules, functional ReLU, methods, reused and in-place ones alike, so no module is hooked,
replaced or changed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from curate.saliency.engine.smooth import Smooth, name_of, smoothed

Function = Callable[[Tensor], Tensor]
Backward = Callable[[Function, Tensor, Tensor | None, Tensor], Tensor]
"""(function f, its input z, f(z) where it was kept, gradient of f(z)) -> a rule's gradient of z."""


class Rules(TorchFunctionMode):
    """Rectifiers by softplus, and another backward pass than the true one while explaining.

    The rule's gradient counts in the one backward pass that makes a map (inside
    :meth:`explaining`). A gradient *through* the map also runs back through the same graph: there
    each function has its true derivative, so that it is the derivative of the map.

    Args:
        softplus_beta: β of the softplus in place of ReLU; None: ReLU itself.
        rules: the backward rule of each function, by its name in torch without a trailing
            underscore.
        calls: replaces whole calls, by name: (state, function, arguments, keywords) -> result.
    """

    def __init__(
        self,
        softplus_beta: float | None = None,
        rules: dict[str, Backward] | None = None,
        calls: dict[str, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__()
        self.softplus_beta = softplus_beta
        self.rules = rules or {}
        self.calls = calls or {}
        self.is_explaining = False

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """While the backward pass of a map runs."""
        self.is_explaining = True
        try:
            yield
        finally:
            self.is_explaining = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Answer a call of a torch function while the model runs."""
        kwargs = kwargs or {}
        name = name_of(func)
        if name in self.calls:
            return self.calls[name](self, func, args, kwargs)
        z = args[0] if args else kwargs.get("input")
        rule = self.rules.get(name)
        smooth = None if self.softplus_beta is None else smoothed(name, args, kwargs)
        own = _OWN.get(name)
        if rule is None and smooth is None and own is None:
            return func(*args, **kwargs)
        if not isinstance(z, Tensor) or z.is_complex():
            return func(*args, **kwargs)
        rest = args[1:]
        named = {key: value for key, value in kwargs.items() if key != "input"}

        def true(value: Tensor) -> Tensor:
            if own is not None:
                return own(value)
            return func(value.clone(), *rest, **named)  # in place it works on the clone

        function: Function = true
        if smooth is not None and self.softplus_beta is not None:
            function = Surrogate(smooth, self.softplus_beta)
        in_place = name + "_" == getattr(func, "__name__", "") or _asks_in_place(func, args, kwargs)
        if rule is None:
            out = function(z)  # keeps nothing of z, which may be overwritten
        else:
            source = z.clone() if in_place else z
            keep = name == "relu"  # of which torch, too, keeps what comes out
            out = _Ruled.apply(source, function, rule, self, keep)  # type: ignore[no-untyped-call]
        if not in_place:
            return out
        if z._is_view():  # what lies around it in its base keeps its gradient
            return z.copy_(out)
        return _Overwritten.apply(z, out)  # type: ignore[no-untyped-call]


def _hardsigmoid(z: Tensor) -> Tensor:
    return F.relu6(z + 3) / 6


_OWN: dict[str, Function] = {"hardsigmoid": _hardsigmoid}
"""In place of functions that torch cannot differentiate twice."""


class _Overwritten(torch.autograd.Function):
    """z.copy_(out) of all of a tensor, without the gradient of zeros for what it was before."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, out: Tensor) -> Tensor:
        ctx.mark_dirty(z)
        return z.copy_(out)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient


class _Ruled(torch.autograd.Function):
    """f(z), whose backward pass is the rule's while explaining, the true one otherwise."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, function: Function, rule: Backward, state: Rules, keep: bool
    ) -> Tensor:
        out = function(z)
        ctx.save_for_backward(z, out if keep else None)
        ctx.function, ctx.rule, ctx.state = function, rule, state
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        z, out = ctx.saved_tensors
        if ctx.state.is_explaining:
            found = ctx.rule(ctx.function, z, out, gradient)
        else:
            found = true_backward(ctx.function, z, gradient)
        return found, None, None, None, None


@dataclass(frozen=True)
class Surrogate:
    """A function with softplus for its corners, whose derivative is known."""

    smooth: Smooth
    beta: float

    def __call__(self, z: Tensor) -> Tensor:
        """The function of z."""
        return self.smooth.value(z, self.beta)

    def slope(self, z: Tensor) -> Tensor:
        """Its derivative at z."""
        return self.smooth.slope(z, self.beta)


def true_backward(function: Function, z: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of z by the chain rule, itself differentiable where autograd asks for it."""
    if isinstance(function, Surrogate):
        return gradient * function.slope(z)
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        z = z if keep and z.requires_grad else z.detach().requires_grad_()
        return torch.autograd.grad(function(z), z, gradient, create_graph=keep)[0]


_POSITION_OF_INPLACE = {
    F.relu: 1, F.relu6: 1, F.hardtanh: 3, F.leaky_relu: 2, F.elu: 2, F.hardsigmoid: 1
}  # fmt: skip


def _asks_in_place(func: Any, args: tuple, kwargs: dict) -> bool:
    if "inplace" in kwargs:
        return bool(kwargs["inplace"])
    position = _POSITION_OF_INPLACE.get(func)
    return position is not None and len(args) > position and bool(args[position])
